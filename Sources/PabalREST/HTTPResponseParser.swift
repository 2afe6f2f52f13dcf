/// Parses one HTTP/1.1 response (RFC 9112) that arrives in pieces of any size.
struct HTTPResponseParser {
  /// The response isn't valid HTTP, or exceeds a limit.
  struct ParsingError: Error {}

  /// The status of the final response, once its status line is complete.
  private(set) var status: Int?
  /// The body, as far as it arrived.
  private(set) var body: [UInt8] = []
  /// The Retry-After field; 0 seconds if it is missing or invalid.
  private(set) var retryAfter = RetryAfter.seconds(0)
  /// The seconds for which the server keeps the connection, as it says in Keep-Alive; `nil` if it doesn't.
  private(set) var keepAlive: Int?
  /// The server's id of the request (`request-id`, as Microsoft Graph sends it); `nil` if there is none.
  private(set) var requestID: String?
  private(set) var isComplete = false
  /// Whether the connection can be used for another request.
  private(set) var isReusable = false

  /// The maximum size of the body; the responses of mail APIs are much smaller.
  private static let maxBodySize = 1 << 20
  /// The maximum size of the whole response, which chunk headers can make much larger than its body.
  private static let maxResponseSize = 8 << 20
  private static let maxInterimResponses = 8
  private static let maxLineLength = 16_384

  private enum Stage {
    case statusLine
    case fields
    case body(left: Int)
    case chunkSize
    case chunk(left: Int)
    case chunkEnd
    case trailer
    case bodyUntilClose
  }

  private var stage = Stage.statusLine
  private var line: [UInt8] = []
  private var count = 0
  private var interimCount = 0
  private var contentLength: Int?
  private var isChunked = false
  private var closesConnection = false

  /// Whether any byte has arrived.
  var hasBegun: Bool { count > 0 }

  /// Parses the next bytes.
  mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(ParsingError) {
    count += bytes.count
    guard count <= Self.maxResponseSize else { throw ParsingError() }
    var rest = bytes[...]
    while !rest.isEmpty {
      // Bytes after the response don't answer any request.
      guard !isComplete else {
        isReusable = false
        return
      }
      switch stage {
      case .body(let left):
        let piece = try appendBody(&rest, left)
        stage = .body(left: left - piece)
        if left == piece { finish() }
      case .chunk(let left):
        let piece = try appendBody(&rest, left)
        stage = left == piece ? .chunkEnd : .chunk(left: left - piece)
      case .bodyUntilClose: _ = try appendBody(&rest, rest.count)
      case .statusLine, .fields, .chunkSize, .chunkEnd, .trailer:
        if try readLine(&rest) {
          try parseLine()
          line.removeAll(keepingCapacity: true)
        }
      }
    }
  }

  /// Records that the server closed the connection, which ends a body without a length.
  mutating func end() {
    if case .bodyUntilClose = stage { isComplete = true }
  }

  private mutating func appendBody(_ rest: inout Slice<UnsafeRawBufferPointer>, _ most: Int)
    throws(ParsingError) -> Int
  {
    let piece = rest.prefix(most)
    guard body.count + piece.count <= Self.maxBodySize else { throw ParsingError() }
    body.append(contentsOf: piece)
    rest = rest[piece.endIndex...]
    return piece.count
  }

  /// Appends to the current line; returns whether it is complete, then without its line end.
  private mutating func readLine(_ rest: inout Slice<UnsafeRawBufferPointer>) throws(ParsingError) -> Bool {
    let end = rest.firstIndex(of: 0x0A)
    line.append(contentsOf: rest[..<(end ?? rest.endIndex)])
    guard line.count <= Self.maxLineLength else { throw ParsingError() }
    guard let end else {
      rest = rest[rest.endIndex...]
      return false
    }
    rest = rest[(end + 1)...]
    if line.last == 0x0D { line.removeLast() }
    return true
  }

  private mutating func parseLine() throws(ParsingError) {
    switch stage {
    case .statusLine: try parseStatusLine()
    case .fields where line.isEmpty: try beginBody()
    case .fields: try parseField()
    case .chunkSize:
      guard let size = Self.number(line.prefix { $0 != 0x3B && $0 != 0x20 && $0 != 0x09 }[...], radix: 16)
      else { throw ParsingError() }
      stage = size == 0 ? .trailer : .chunk(left: size)
    case .chunkEnd:
      guard line.isEmpty else { throw ParsingError() }
      stage = .chunkSize
    case .trailer: if line.isEmpty { finish() }
    case .body, .chunk, .bodyUntilClose: break
    }
  }

  /// Parses `HTTP/1.1 200 OK`; the phrase may be missing.
  private mutating func parseStatusLine() throws(ParsingError) {
    guard line.count >= 12, line.starts(with: "HTTP/1.".utf8), line[8] == 0x20,
      line.count == 12 || line[12] == 0x20, let code = Self.number(line[9..<12], radix: 10), code >= 100
    else { throw ParsingError() }
    closesConnection = line[7] != UInt8(ascii: "1")
    contentLength = nil
    isChunked = false
    retryAfter = .seconds(0)
    keepAlive = nil
    requestID = nil
    if code >= 200 { status = code }
    stage = .fields
  }

  private mutating func parseField() throws(ParsingError) {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw ParsingError() }
    let value = Self.trimmed(line[(colon + 1)...])
    switch colon {
    case 10 where Self.equalsIgnoringCase(line[..<colon], "connection"):
      if Self.contains(value, "close") { closesConnection = true }
    case 10 where Self.equalsIgnoringCase(line[..<colon], "request-id"):
      // A GUID, or a few of them; anything else isn't worth keeping.
      if value.count <= 128, value.allSatisfy({ (0x21...0x7E).contains($0) }), !value.isEmpty {
        requestID = String(decoding: value, as: UTF8.self)
      }
    case 11 where Self.equalsIgnoringCase(line[..<colon], "retry-after"):
      retryAfter = RetryAfter(value)
    case 10 where Self.equalsIgnoringCase(line[..<colon], "keep-alive"):
      keepAlive = Self.keepAlive(value)
    case 14 where Self.equalsIgnoringCase(line[..<colon], "content-length"):
      guard let number = Self.number(value, radix: 10), contentLength == nil || contentLength == number else {
        throw ParsingError()
      }
      contentLength = number
    case 17 where Self.equalsIgnoringCase(line[..<colon], "transfer-encoding"):
      guard Self.equalsIgnoringCase(value, "chunked") else { throw ParsingError() }
      isChunked = true
    default: break
    }
  }

  /// Decides after the header how the body is delimited (RFC 9112, 6.3).
  private mutating func beginBody() throws(ParsingError) {
    guard let status else {
      // 100 Continue or another interim response; the final one follows.
      interimCount += 1
      guard interimCount <= Self.maxInterimResponses else { throw ParsingError() }
      stage = .statusLine
      return
    }
    if status == 204 || status == 304 {
      finish()
    } else if isChunked {
      // Both together are a sign of request smuggling (RFC 9112, 6.3).
      guard contentLength == nil else { throw ParsingError() }
      stage = .chunkSize
    } else if let contentLength {
      stage = .body(left: contentLength)
      if contentLength == 0 { finish() }
    } else {
      closesConnection = true
      stage = .bodyUntilClose
    }
  }

  private mutating func finish() {
    isComplete = true
    isReusable = !closesConnection
  }

  /// Returns the seconds in `timeout=5, max=100`.
  private static func keepAlive(_ value: ArraySlice<UInt8>) -> Int? {
    for parameter in value.split(separator: UInt8(ascii: ",")) {
      let parts = parameter.split(separator: UInt8(ascii: "="), maxSplits: 1)
      guard parts.count == 2, equalsIgnoringCase(trimmed(parts[0]), "timeout") else { continue }
      return number(trimmed(parts[1]), radix: 10)
    }
    return nil
  }

  private static func number(_ digits: ArraySlice<UInt8>, radix: Int) -> Int? {
    guard !digits.isEmpty, digits.count <= 15 else { return nil }
    var value = 0
    for digit in digits {
      let figure: Int
      switch digit {
      case 0x30...0x39: figure = Int(digit) - 0x30
      case 0x41...0x46, 0x61...0x66: figure = Int(digit | 0x20) - 0x61 + 10
      default: return nil
      }
      guard figure < radix else { return nil }
      value = value * radix + figure
    }
    return value
  }

  private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var text = text
    while let first = text.first, first == 0x20 || first == 0x09 { text.removeFirst() }
    while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
    return text
  }

  private static func equalsIgnoringCase(_ text: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
    guard text.count == word.utf8CodeUnitCount else { return false }
    var next = word.utf8Start
    for byte in text {
      guard byte | 0x20 == next.pointee | 0x20 else { return false }
      next += 1
    }
    return true
  }

  private static func contains(_ list: ArraySlice<UInt8>, _ word: StaticString) -> Bool {
    list.split(separator: UInt8(ascii: ",")).contains { equalsIgnoringCase(trimmed($0), word) }
  }
}
