internal import PabalFormats

/// A text body in canonical form, with the transfer encoding that makes it shortest (RFC 2045).
struct BodyPart {
  private let bytes: [UInt8]
  private let encoding: TransferEncoding

  private enum TransferEncoding: String {
    case plain = "7bit"
    case quotedPrintable = "quoted-printable"
    case base64 = "base64"
  }

  /// The text with CRLF at each line's end, the last one's too.
  init(_ text: String, field: String) throws(MailError) {
    let source = text.utf8Span.span
    var bytes = [UInt8]()
    bytes.reserveCapacity(source.count + source.count / 16 + 2)
    guard source.withUnsafeBufferPointer({ LineScanner.find(0, in: $0, from: 0) == $0.count }) else {
      throw MailError(field, "it holds a NUL character, which no mail may", remedy: "remove it")
    }
    let count = source.withUnsafeBufferPointer { ByteCounts($0) }
    var isPlain = count.isPlain
    source.withUnsafeBufferPointer { source in
      var lines = LineScanner(source)
      while let line = lines.next() {
        let content = UnsafeBufferPointer(rebasing: source[line.content])
        bytes.append(contentsOf: content)
        bytes.append(0x0D)
        bytes.append(0x0A)
        isPlain = isPlain && BodyPart.isPlainLine(content.span)
      }
    }
    if bytes.isEmpty { bytes = [0x0D, 0x0A] }
    self.bytes = bytes
    // A soft line break for each 75 bytes; two for each 76.
    let literal = bytes.count + 2 * count.escapeCount
    let quotedLength = literal + literal / 75 * 3
    let base64Length = Base64.encodedCount(inLines: bytes.count)
    encoding = isPlain ? .plain : quotedLength <= base64Length ? .quotedPrintable : .base64
  }

  /// How many bytes of each kind a text has.
  private struct ByteCounts {
    private var lineEnds = 0
    private var tabs = 0
    private var equalSigns = 0
    // Below space or above ~.
    private var unprintable = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
      ByteCounts.weights.withUnsafeBufferPointer { weights in
        var start = 0
        while start < bytes.count {
          let end = min(start + Int(UInt16.max), bytes.count)
          // Four counters in one sum: comparing each byte four times takes five times as long.
          var sum: UInt64 = 0
          for i in start..<end { sum &+= weights[Int(bytes[i])] }
          unprintable += Int(sum & 0xFFFF)
          lineEnds += Int(sum >> 16 & 0xFFFF)
          tabs += Int(sum >> 32 & 0xFFFF)
          equalSigns += Int(sum >> 48)
          start = end
        }
      }
    }

    private static let weights: [UInt64] = (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x0A, 0x0D: 1 << 16 | 1
      case 0x09: 1 << 32 | 1
      case UInt8(ascii: "="): 1 << 48
      case 0x20...0x7E: 0
      default: 1
      }
    }

    /// How many bytes quoted-printable has to escape, spaces at a line's end aside.
    var escapeCount: Int { unprintable - lineEnds - tabs + equalSigns }

    /// Whether there is nothing but printable ASCII and line ends.
    var isPlain: Bool { unprintable == lineEnds }
  }

  /// Whether relays leave a line of plain characters alone: no more than 78 bytes, no space at its end, and
  /// nothing at its start that means something to a mailbox (`From `), to SMTP (`.`) or to MIME (`--`).
  private static func isPlainLine(_ line: Span<UInt8>) -> Bool {
    guard line.count <= 78 else { return false }
    guard line.count > 0 else { return true }
    let last = line[line.count - 1]
    let isDelimiter = line.count > 1 && line[0] == UInt8(ascii: "-") && line[1] == UInt8(ascii: "-")
    return last != 0x20 && last != 0x09 && line[0] != UInt8(ascii: ".") && !isDelimiter
      && !isFromLine(line, 0)
  }

  private static func isFromLine(_ bytes: Span<UInt8>, _ i: Int) -> Bool {
    i + 4 < bytes.count && bytes[i] == UInt8(ascii: "F") && bytes[i + 1] == UInt8(ascii: "r")
      && bytes[i + 2] == UInt8(ascii: "o") && bytes[i + 3] == UInt8(ascii: "m") && bytes[i + 4] == 0x20
  }

  /// The room the part takes at most, for reserving it.
  var capacity: Int { bytes.count * 3 / 2 + 160 }

  /// Appends the part's header fields, the empty line and the encoded text.
  func append(subtype: String, to target: inout [UInt8]) {
    target.append(ascii: "Content-Type: text/")
    target.append(text: subtype)
    target.append(ascii: "; charset=utf-8\r\nContent-Transfer-Encoding: ")
    target.append(text: encoding.rawValue)
    target.append(ascii: "\r\n\r\n")
    switch encoding {
    case .plain: target.append(contentsOf: bytes)
    case .base64: Base64.append(lines: bytes.span, to: &target)
    case .quotedPrintable: appendQuotedPrintable(to: &target)
    }
  }

  /// RFC 2045, 6.7: lines of at most 76 bytes, no code point on two of them.
  private func appendQuotedPrintable(to target: inout [UInt8]) {
    // A line is put together here and appended once, and most of it in runs: byte by byte into an array
    // takes ten times as long.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 80) { line in
      bytes.withUnsafeBufferPointer { source in
        var quoted = QuotedPrintableLine(line)
        var isLineStart = true
        var i = 0
        while i < source.count {
          if !isLineStart {
            i += quoted.appendRun(of: source, from: i)
          }
          let byte = source[i]
          if byte == 0x0D {
            quoted.end(in: &target)
            i += 2
            isLineStart = true
            continue
          }
          // A lead byte takes its followers along.
          let followers = byte >= 0xF0 ? 3 : byte >= 0xE0 ? 2 : byte >= 0xC0 ? 1 : 0
          let isLast = source[i + followers + 1] == 0x0D
          let isUnescaped =
            (QuotedPrintableLine.isLiteral(byte) || byte == 0x09)
            && !(isLast && (byte == 0x20 || byte == 0x09))
            && !(isLineStart && (byte == UInt8(ascii: ".") || BodyPart.isFromLine(source.span, i)))
          let length = (isUnescaped ? 1 : 3) + 3 * followers + (isLast ? 0 : 1)
          if length > quoted.remaining { quoted.appendSoftBreak(in: &target) }
          if isUnescaped { quoted.append(byte) } else { quoted.append(escaped: byte) }
          isLineStart = false
          i += 1
        }
      }
    }
  }
}

/// One line of quoted-printable in the making.
private struct QuotedPrintableLine {
  private let line: UnsafeMutableBufferPointer<UInt8>
  private var count = 0

  /// A line in memory for 80 bytes: 76, its end, and some to spare.
  init(_ memory: UnsafeMutableBufferPointer<UInt8>) { line = memory }

  /// How many bytes the line still takes.
  var remaining: Int { 76 - count }

  mutating func append(_ byte: UInt8) {
    line[count] = byte
    count += 1
  }

  mutating func append(escaped byte: UInt8) {
    append(UInt8(ascii: "="))
    append(hexadecimal(byte >> 4))
    append(hexadecimal(byte & 15))
  }

  /// Takes the bytes from `start` on that stand for themselves, as many as leave room for a soft break.
  mutating func appendRun(of source: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    let limit = min(source.count, start + remaining - 1)
    var end = start
    while end < limit, QuotedPrintableLine.isLiteral(source[end]) {
      line[count + end - start] = source[end]
      end += 1
    }
    // No space may stand at a line's end.
    if end > start, source[end - 1] == 0x20, end < source.count, source[end] == 0x0D { end -= 1 }
    count += max(0, end - start)
    return max(0, end - start)
  }

  /// Whether an byte may stand for itself within a line.
  static func isLiteral(_ byte: UInt8) -> Bool { byte &- 0x20 < 0x5F && byte != UInt8(ascii: "=") }

  /// Ends the line where the text's own line ends.
  mutating func end(in target: inout [UInt8]) {
    append(0x0D)
    append(0x0A)
    target.append(contentsOf: UnsafeMutableBufferPointer(rebasing: line[..<count]))
    count = 0
  }

  /// Ends the line where it is full.
  mutating func appendSoftBreak(in target: inout [UInt8]) {
    append(UInt8(ascii: "="))
    end(in: &target)
  }
}
