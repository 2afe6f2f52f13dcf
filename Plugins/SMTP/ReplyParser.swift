/// Why bytes from a server aren't a valid reply.
enum ReplyError: Error, Equatable {
  /// A line doesn't begin with a reply code.
  case notAReply
  /// The lines of a reply have different codes.
  case mixedCodes
  /// A line or a reply exceeds the limits of `ReplyParser`.
  case tooLong
  /// There are far more replies than commands.
  case tooMany

  /// The error as a sentence.
  var message: String {
    switch self {
    case .notAReply: "the server sent something that isn't an SMTP reply"
    case .mixedCodes: "the server sent a reply whose lines have different codes"
    case .tooLong: "the server sent a reply that is too long"
    case .tooMany: "the server sent far more replies than commands"
    }
  }
}

/// Parses replies from bytes that arrive in pieces of any size, within limits.
///
/// RFC 5321 allows 512 bytes per line, but real servers send more. One buffer is reused for the whole connection.
struct ReplyParser: ~Copyable {
  static let maxLineLength = 4_096
  static let maxLines = 256
  /// How many replies beyond `expectedCount` are accepted before `.tooMany`.
  static let maxUnexpectedReplies = 16

  /// The complete replies since `reset`.
  private(set) var replies: [Reply] = []
  /// How many replies are expected since `reset`; it limits how many are accepted.
  var expectedCount = 0

  private var buffer: UnsafeMutableRawBufferPointer
  private var filled = 0
  private var lineStart = 0
  private var scanned = 0
  private var replyStart = 0
  private var currentCode = 0
  private var currentLineCount = 0

  init(capacity: Int = 16_384) {
    buffer = .allocate(byteCount: capacity, alignment: 1)
    replies.reserveCapacity(16)
  }

  deinit { buffer.deallocate() }

  /// Whether there are bytes after the last complete reply.
  var hasPartialReply: Bool { filled > replyStart }

  /// Discards all replies and any bytes after them.
  mutating func reset() {
    replies.removeAll(keepingCapacity: true)
    (filled, lineStart, scanned, replyStart, currentCode, currentLineCount) = (0, 0, 0, 0, 0, 0)
  }

  /// Lets `fill` write into free space and parses what it wrote.
  ///
  /// Returns what `fill` returned: the number of bytes, 0 at the end of the stream, `nil` if there was nothing to read.
  mutating func read<Failure: Error>(
    _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int?
  ) throws(Failure) -> Result<Int?, ReplyError> {
    makeRoom(for: Self.maxLineLength)
    let count = try fill(UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
    filled += count ?? 0
    do throws(ReplyError) {
      try scan()
      return .success(count)
    } catch {
      return .failure(error)
    }
  }

  /// Parses bytes that were read elsewhere.
  mutating func feed(_ bytes: UnsafeRawBufferPointer) throws(ReplyError) {
    makeRoom(for: bytes.count)
    UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]).copyMemory(from: bytes)
    filled += bytes.count
    try scan()
  }

  /// A reply's lines joined into one; the codes and line ends between them become single spaces.
  func text(_ reply: Reply) -> String {
    var line: [UInt8] = []
    line.reserveCapacity(reply.range.count)
    var start = reply.range.lowerBound
    while start < reply.range.upperBound {
      var end = start
      while end < reply.range.upperBound, buffer[end] != UInt8(ascii: "\n") { end += 1 }
      let next = end + 1
      if end > start, buffer[end - 1] == UInt8(ascii: "\r") { end -= 1 }
      if start == reply.range.lowerBound {
        line += buffer[start..<end]
        if line.count > 3 { line[3] = UInt8(ascii: " ") }
      } else if end - start > 4 {
        line.append(UInt8(ascii: " "))
        line += withoutEnhancedCode(buffer[(start + 4)..<end])
      }
      start = next
    }
    return String(decoding: line, as: UTF8.self)
  }

  /// A reply's lines, without codes and line ends.
  func lines(_ reply: Reply) -> [String] {
    buffer[reply.range].split(separator: UInt8(ascii: "\n")).map { line in
      let end = line.last == UInt8(ascii: "\r") ? line.endIndex - 1 : line.endIndex
      return String(decoding: line[min(line.startIndex + 4, end)..<end], as: UTF8.self)
    }
  }

  private func withoutEnhancedCode(
    _ line: Slice<UnsafeMutableRawBufferPointer>
  ) -> Slice<UnsafeMutableRawBufferPointer> {
    guard EnhancedCode(line) != nil, let blank = line.firstIndex(of: UInt8(ascii: " ")) else { return line }
    return line[(blank + 1)...]
  }

  private mutating func makeRoom(for count: Int) {
    guard buffer.count - filled < count else { return }
    let larger = UnsafeMutableRawBufferPointer.allocate(
      byteCount: (buffer.count + count) * 2, alignment: 1)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer[..<filled]))
    buffer.deallocate()
    buffer = larger
  }

  private mutating func scan() throws(ReplyError) {
    while scanned < filled {
      defer { scanned += 1 }
      guard buffer[scanned] == UInt8(ascii: "\n") else {
        if scanned - lineStart >= Self.maxLineLength { throw .tooLong }
        continue
      }
      try parseLine(until: scanned)
      lineStart = scanned + 1
    }
  }

  private mutating func parseLine(until lineFeed: Int) throws(ReplyError) {
    var end = lineFeed
    if end > lineStart, buffer[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    guard end - lineStart >= 3, let code = code(at: lineStart) else { throw .notAReply }
    let separator = end - lineStart == 3 ? UInt8(ascii: " ") : buffer[lineStart + 3]
    guard separator == UInt8(ascii: " ") || separator == UInt8(ascii: "-") else { throw .notAReply }
    if currentLineCount == 0 { currentCode = code }
    guard code == currentCode else { throw .mixedCodes }
    currentLineCount += 1
    if separator == UInt8(ascii: "-") {
      if currentLineCount >= Self.maxLines { throw .tooLong }
      return
    }
    guard replies.count < expectedCount + Self.maxUnexpectedReplies else { throw .tooMany }
    let text = min(lineStart + 4, end)
    replies.append(
      Reply(code: code, enhanced: EnhancedCode(buffer[text..<end]), range: replyStart..<(lineFeed + 1)))
    replyStart = lineFeed + 1
    currentLineCount = 0
  }

  /// Returns the code at `start`, 200 to 599; `nil` if there is none. SMTP has no 1yz replies (RFC 5321, 4.2.1).
  private func code(at start: Int) -> Int? {
    let (first, second, third) = (buffer[start], buffer[start + 1], buffer[start + 2])
    guard (UInt8(ascii: "2")...UInt8(ascii: "5")).contains(first),
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(second),
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(third)
    else { return nil }
    return Int(first - 48) * 100 + Int(second - 48) * 10 + Int(third - 48)
  }
}

/// One reply of a server: its code, and the range of its text in the `ReplyParser` that read it.
struct Reply: Equatable {
  /// Three digits, 200 to 599 (RFC 5321, 4.2).
  let code: Int
  /// The enhanced status code of its last line (RFC 3463), if any.
  let enhanced: EnhancedCode?
  /// Its lines in the parser's buffer, with line ends.
  let range: Range<Int>

  /// Whether the command succeeded. 220 and 221 are a greeting and a goodbye, which no command of a transaction gets.
  var isSuccess: Bool { code / 100 == 2 && code != 220 && code != 221 }
  /// Whether the command was refused, temporarily or permanently.
  var isRefusal: Bool { code >= 400 }
  /// Whether the server closes the connection after it.
  var closesConnection: Bool { code == 421 || code == 221 }
}

/// An enhanced status code, such as 5.7.1 (RFC 3463).
struct EnhancedCode: Equatable {
  let status: Int
  let subject: Int
  let detail: Int

  /// The code at the start of `bytes`; `nil` if there is none.
  init?(_ bytes: some Sequence<UInt8>) {
    var parts = (0, 0, 0)
    var index = 0
    var digits = 0
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        digits += 1
        if digits > 3 { return nil }
        let digit = Int(byte - UInt8(ascii: "0"))
        switch index {
        case 0: parts.0 = parts.0 * 10 + digit
        case 1: parts.1 = parts.1 * 10 + digit
        default: parts.2 = parts.2 * 10 + digit
        }
        continue
      case UInt8(ascii: ".") where index < 2 && digits > 0:
        index += 1
        digits = 0
        continue
      case UInt8(ascii: " "), UInt8(ascii: "\r"), UInt8(ascii: "\n"):
        break
      default:
        return nil
      }
      break
    }
    guard index == 2, digits > 0, [2, 4, 5].contains(parts.0) else { return nil }
    (status, subject, detail) = parts
  }
}
