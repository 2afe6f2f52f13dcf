internal import PabalFormats

/// A text body in canonical form, with the shortest safe transfer encoding (RFC 2045).
struct BodyPart {
  private let bytes: [UInt8]
  private let encoding: TransferEncoding

  private enum TransferEncoding: String {
    case plain = "7bit"
    case quotedPrintable = "quoted-printable"
    case base64 = "base64"
  }

  /// Normalizes line ends to CRLF, including the last one. Throws if the text contains a NUL.
  init(_ text: String, field: String) throws(MailError) {
    let source = text.utf8Span.span
    var bytes = [UInt8]()
    bytes.reserveCapacity(source.count + source.count / 16 + 2)
    guard source.withUnsafeBufferPointer({ LineScanner.find(0, in: $0, from: 0) == $0.count }) else {
      throw MailError(field, "contains a NUL character, which mail can't carry", remedy: "remove it")
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
    // Quoted-printable adds a soft line break (3 bytes) per 75 bytes, base64 a CRLF (2 bytes) per 76.
    let literal = bytes.count + 2 * count.escapeCount
    let quotedLength = literal + literal / 75 * 3
    let base64Length = Base64.encodedCount(inLines: bytes.count)
    encoding = isPlain ? .plain : quotedLength <= base64Length ? .quotedPrintable : .base64
  }

  /// The number of bytes of each kind in a text.
  private struct ByteCounts {
    private var lineEnds = 0
    private var tabs = 0
    private var equalSigns = 0
    // Bytes below space or above ~.
    private var unprintable = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>) {
      ByteCounts.weights.withUnsafeBufferPointer { weights in
        var start = 0
        while start < bytes.count {
          let end = min(start + Int(UInt16.max), bytes.count)
          // Four counters share one sum because four comparisons per byte take five times as long.
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

    /// The number of bytes that quoted-printable must escape, not counting spaces at line ends.
    var escapeCount: Int { unprintable - lineEnds - tabs + equalSigns }

    /// Whether the text consists of printable ASCII and line ends only.
    var isPlain: Bool { unprintable == lineEnds }
  }

  /// Whether a line of printable ASCII passes relays unchanged: at most 78 bytes, no trailing space, and no start
  /// with a meaning in mailbox files (`From `), SMTP (`.`) or MIME (`--`).
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

  /// An upper bound of the encoded size, for reserving capacity.
  var capacity: Int { bytes.count * 3 / 2 + 160 }

  /// Appends the part's header fields, an empty line and the encoded text.
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

  /// Encodes as quoted-printable (RFC 2045, 6.7) in lines of at most 76 bytes, without splitting a code point.
  private func appendQuotedPrintable(to target: inout [UInt8]) {
    // Each line is assembled in runs and appended once; appending byte by byte takes ten times as long.
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
          // The continuation bytes stay on the line of their lead byte.
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

/// A line of quoted-printable under construction.
private struct QuotedPrintableLine {
  private let line: UnsafeMutableBufferPointer<UInt8>
  private var count = 0

  /// Uses `memory` of at least 80 bytes: 76 for the line, plus its end.
  init(_ memory: UnsafeMutableBufferPointer<UInt8>) { line = memory }

  /// The number of bytes that still fit on the line.
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

  /// Appends the literal bytes from `start` on, leaving room for a soft break; returns how many were appended.
  mutating func appendRun(of source: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    let limit = min(source.count, start + remaining - 1)
    var end = start
    while end < limit, QuotedPrintableLine.isLiteral(source[end]) {
      line[count + end - start] = source[end]
      end += 1
    }
    // A space at the end of a line must be escaped.
    if end > start, source[end - 1] == 0x20, end < source.count, source[end] == 0x0D { end -= 1 }
    count += max(0, end - start)
    return max(0, end - start)
  }

  /// Whether a byte may appear unescaped within a line.
  static func isLiteral(_ byte: UInt8) -> Bool { byte &- 0x20 < 0x5F && byte != UInt8(ascii: "=") }

  /// Ends the line at a line end of the text.
  mutating func end(in target: inout [UInt8]) {
    append(0x0D)
    append(0x0A)
    target.append(contentsOf: UnsafeMutableBufferPointer(rebasing: line[..<count]))
    count = 0
  }

  /// Ends a full line with a soft line break.
  mutating func appendSoftBreak(in target: inout [UInt8]) {
    append(UInt8(ascii: "="))
    end(in: &target)
  }
}
