internal import Glibc

/// The header fields of a mail that others wrote, their line ends mended to CRLF.
package struct MailHeader: Sendable {
  /// A header field, found but not read.
  package struct Field: Sendable {
    /// The name in lower case.
    package let name: String
    /// The lines of the field in the block, CRLF at their ends.
    let lines: Range<Int>
    let value: Range<Int>
  }

  /// The fields in the order written.
  package let fields: [Field]
  private let bytes: [UInt8]

  /// RFC 5322, 2.1.1, without CRLF.
  private static let lineLimit = 998

  /// Reads the header block at the start of `mail`; `body` is where its body begins.
  init(of mail: UnsafeBufferPointer<UInt8>, body: inout Int) throws(MailError) {
    var block = [UInt8]()
    var fields = [Field]()
    var lineBreak: LineScanner.End?
    var lineNumber = 0
    var scanner = LineScanner(mail)
    body = mail.count
    while let line = scanner.next() {
      lineNumber += 1
      // Mending a mixture would turn a character inside a field, which an application let through, into a
      // field of its own.
      if line.end != .none {
        guard line.end == lineBreak ?? line.end else {
          throw MailHeader.makeError(
            lineNumber, "it ends with another line break than the lines before",
            remedy: "end all header lines alike")
        }
        lineBreak = line.end
      }
      guard !line.content.isEmpty else {
        body = line.next
        break
      }
      let content = UnsafeBufferPointer(rebasing: mail[line.content])
      try MailHeader.check(content, lineNumber: lineNumber)
      let start = block.count
      block.append(contentsOf: content)
      block.append(0x0D)
      block.append(0x0A)
      if content[0] == 0x20 || content[0] == 0x09 {
        guard let field = fields.popLast() else {
          throw MailHeader.makeError(
            lineNumber, "the first line of the header begins with a space", remedy: nil)
        }
        fields.append(
          Field(
            name: field.name, lines: field.lines.lowerBound..<block.count,
            value: field.value.lowerBound..<(block.count - 2)))
      } else {
        let (name, length) = try MailHeader.name(of: content, lineNumber: lineNumber)
        fields.append(
          Field(name: name, lines: start..<block.count, value: (start + length)..<(block.count - 2)))
      }
    }
    self.fields = fields
    bytes = block
  }

  /// The values of all fields of a name, given in lower case, as they stand after the colon, folds included.
  package func values(of name: String) -> [[UInt8]] {
    fields.filter { $0.name == name }.map { Array(bytes[$0.value]) }
  }

  /// The mailboxes of all fields of a name, given in lower case.
  package func mailboxes(of name: String) throws(MailError) -> [Mailbox] {
    var mailboxes = [Mailbox]()
    for value in values(of: name) { mailboxes += try AddressList(value, field: name).mailboxes }
    return mailboxes
  }

  /// Whether a field of one of the names, given in lower case, is there.
  package func contains(_ names: String...) -> Bool { fields.contains { names.contains($0.name) } }

  /// Appends every field but those named, in lower case, as they were written.
  func append(to target: inout [UInt8], without names: Set<String>) {
    for field in fields where !names.contains(field.name) { target.append(contentsOf: bytes[field.lines]) }
  }

  private static func makeError(_ lineNumber: Int, _ message: String, remedy: String?) -> MailError {
    MailError("header line \(lineNumber)", message, remedy: remedy)
  }

  private static func check(_ line: UnsafeBufferPointer<UInt8>, lineNumber: Int) throws(MailError) {
    guard line.count <= lineLimit else {
      throw makeError(
        lineNumber, "the line has \(line.count) octets", remedy: "fold it: a line has at most 998")
    }
    guard !line.contains(0) else { throw makeError(lineNumber, "the line holds a NUL", remedy: "remove it") }
    guard line.allSatisfy({ $0 < 0x80 }) || String(validating: line, as: UTF8.self) != nil else {
      throw makeError(
        lineNumber, "the line isn't UTF-8", remedy: "write other character sets as encoded words (RFC 2047)")
    }
  }

  /// The field's name in lower case, and the length of what stands before its value.
  private static func name(
    of line: UnsafeBufferPointer<UInt8>, lineNumber: Int
  ) throws(MailError) -> (name: String, length: Int) {
    let shown = quoted(String(decoding: line, as: UTF8.self))
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
      throw makeError(
        lineNumber, "\(shown) is no header field: it has no colon",
        remedy: "put an empty line before the body")
    }
    // RFC 5322, 4.5: old mailers put white space before the colon.
    var end = colon
    while end > 0, line[end - 1] == 0x20 || line[end - 1] == 0x09 { end -= 1 }
    guard end > 0, line[..<end].allSatisfy({ (0x21...0x7E).contains($0) }) else {
      let remedy = shown.hasPrefix("'From ") ? "remove the mbox line" : "put an empty line before the body"
      throw makeError(lineNumber, "\(shown) is no header field: its name isn't one word", remedy: remedy)
    }
    return (String(decoding: line[..<end], as: UTF8.self).lowercased(), colon + 1)
  }
}

/// Finds the lines of bytes that end with CRLF, LF or CR, in time that grows with their number alone.
struct LineScanner {
  /// One line of a text.
  struct Line {
    /// The line without its end.
    var content: Range<Int>
    /// Where the next line begins.
    var next: Int
    var end: End
  }

  /// How a line ends.
  enum End { case crlf, lf, cr, none }

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position: Int
  // The first CR and LF at or after `position`; each byte is looked at once for either.
  private var nextCR: Int
  private var nextLF: Int

  /// The lines from `start` on; the buffer must outlive the scanner.
  init(_ bytes: UnsafeBufferPointer<UInt8>, from start: Int = 0) {
    self.bytes = bytes
    position = start
    nextCR = LineScanner.find(0x0D, in: bytes, from: start)
    nextLF = LineScanner.find(0x0A, in: bytes, from: start)
  }

  mutating func next() -> Line? {
    let start = position
    guard start < bytes.count else { return nil }
    let end = min(nextCR, nextLF)
    guard end < bytes.count else {
      position = bytes.count
      return Line(content: start..<bytes.count, next: bytes.count, end: .none)
    }
    if nextLF < nextCR {
      position = end + 1
      nextLF = LineScanner.find(0x0A, in: bytes, from: position)
      return Line(content: start..<end, next: position, end: .lf)
    }
    let isPair = nextLF == end + 1 && nextLF < bytes.count
    position = end + (isPair ? 2 : 1)
    nextCR = LineScanner.find(0x0D, in: bytes, from: position)
    if isPair { nextLF = LineScanner.find(0x0A, in: bytes, from: position) }
    return Line(content: start..<end, next: position, end: isPair ? .crlf : .cr)
  }

  /// Where an byte is first found at or after `start`; the buffer's count where it isn't.
  static func find(_ byte: UInt8, in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    // Runs of line ends are common, and a call for each is not cheap.
    if start < bytes.count, bytes[start] == byte { return start }
    guard start < bytes.count, let base = bytes.baseAddress,
      let found = memchr(base + start, Int32(byte), bytes.count - start)
    else { return bytes.count }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }
}
