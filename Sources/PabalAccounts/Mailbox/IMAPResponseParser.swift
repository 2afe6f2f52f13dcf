/// What an IMAP server sent (RFC 3501, section 7): a line, with the literals that belong to it.
struct IMAPResponse: Sendable, Equatable {
  /// The line without its line end; a literal is `{COUNT}` in it.
  var line: String
  /// The literals, in order.
  var literals: [[UInt8]] = []

  /// The words of the line, in capitals.
  var words: [String] { line.split(separator: " ").map { $0.uppercased() } }
}

/// Why what a server sent isn't IMAP.
enum IMAPParserError: Error {
  /// A line or a literal is longer than it may be.
  case tooLong
}

/// Takes bytes as they arrive and returns complete responses.
struct IMAPResponseParser {
  private var buffer: [UInt8] = []
  private var start = 0
  private var response = IMAPResponse(line: "")
  private var missing = 0
  private let literalLimit: Int

  /// The most bytes of a line. Lists of uids are the longest.
  private static let lineLimit = 1 << 20

  /// A parser for literals of up to `literalLimit` bytes in total for each response.
  init(literalLimit: Int) { self.literalLimit = literalLimit }

  /// Adds what arrived.
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    if start > 1 << 16 {
      buffer.removeFirst(start)
      start = 0
    }
    buffer.append(contentsOf: bytes)
  }

  /// Returns the next complete response; `nil` if more has to arrive.
  mutating func next() throws(IMAPParserError) -> IMAPResponse? {
    while true {
      if missing > 0 {
        guard buffer.count - start >= missing else { return nil }
        response.literals.append(Array(buffer[start..<(start + missing)]))
        start += missing
        missing = 0
      }
      guard let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) else {
        guard buffer.count - start <= Self.lineLimit else { throw .tooLong }
        return nil
      }
      var line = buffer[start..<end]
      start = end + 1
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      guard response.line.utf8.count + line.count <= Self.lineLimit else { throw .tooLong }
      response.line += String(decoding: line, as: UTF8.self)
      guard let size = Self.literalSize(line) else {
        defer { response = IMAPResponse(line: "") }
        return response
      }
      guard size <= literalLimit - response.literals.reduce(0, { $0 + $1.count }) else { throw .tooLong }
      if size == 0 { response.literals.append([]) }
      missing = size
    }
  }

  /// Returns the size of the literal that follows a line which ends with `{COUNT}`.
  private static func literalSize(_ line: ArraySlice<UInt8>) -> Int? {
    guard line.last == UInt8(ascii: "}"), let open = line.lastIndex(of: UInt8(ascii: "{")) else {
      return nil
    }
    return Int(String(decoding: line[(open + 1)..<(line.endIndex - 1)], as: UTF8.self)).flatMap {
      $0 >= 0 ? $0 : nil
    }
  }
}
