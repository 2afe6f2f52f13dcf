internal import Glibc

/// The parsed header fields of a mail, with line ends normalized to CRLF.
package struct MailHeader: Sendable {
  /// What a header may contain.
  package enum Syntax: Sendable {
    /// Fields in UTF-8, with the same line break throughout; anything else is an error. Long lines are folded, and a
    /// continuation line of white space only is left out: RFC 5322, 3.2.2 forbids writing one, and the next hop may take
    /// it for the end of the header.
    case strict
    /// Fields of any bytes except NUL, kept as they are. The first line that isn't a field begins the body. A lone CR in
    /// a field, or more than 256 KiB, is an error.
    case tolerant

    /// The largest header, in bytes.
    static let sizeLimit = 262_144
  }

  /// The location of a header field.
  package struct Field: Sendable {
    /// The name in lower case.
    package let name: String
    /// The range of the field's lines, including their CRLF.
    let lines: Range<Int>
    let value: Range<Int>

    /// The number of bytes before the value: the name, the colon and the blanks between them.
    var nameLength: Int { value.lowerBound - lines.lowerBound }
  }

  /// The fields in the order written.
  package let fields: [Field]
  private let bytes: [UInt8]

  /// Parses the header at the start of `mail` and sets `bodyStart` to the index where the body starts.
  init(
    of mail: UnsafeBufferPointer<UInt8>, syntax: Syntax = .strict, bodyStart: inout Int
  ) throws(MailError) {
    var block = [UInt8]()
    var fields = [Field]()
    var lineBreak: LineScanner.End?
    var lineNumber = 0
    var scanner = LineScanner(mail)
    bodyStart = mail.count
    while let line = scanner.next() {
      lineNumber += 1
      if syntax == .tolerant {
        guard MailHeader.isPart(line, of: mail, after: fields) else {
          bodyStart = line.content.isEmpty ? line.next : line.content.lowerBound
          break
        }
        try MailHeader.check(tolerant: line, of: mail, lineNumber: lineNumber, size: block.count)
      }
      // Mixed line breaks are rejected: normalizing them would turn a lone CR or LF that an application let through
      // inside a field into a new header field.
      if syntax == .strict, line.end != .none {
        guard line.end == lineBreak ?? line.end else {
          throw MailHeader.makeError(
            lineNumber, "the line ends with a different line break than the lines before",
            remedy: "use the same line break in the whole header")
        }
        lineBreak = line.end
      }
      guard !line.content.isEmpty else {
        bodyStart = line.next
        break
      }
      let content = UnsafeBufferPointer(rebasing: mail[line.content])
      if syntax == .strict { try MailHeader.check(content, lineNumber: lineNumber) }
      let start = block.count
      if content[0] == 0x20 || content[0] == 0x09 {
        guard let field = fields.last else {
          throw MailHeader.makeError(
            lineNumber, "the mail has no header: its first line starts with a space",
            remedy: "begin it with fields such as Subject: …, followed by an empty line")
        }
        guard syntax == .tolerant || content.contains(where: { $0 != 0x20 && $0 != 0x09 }) else { continue }
        try MailHeader.append(content, name: 0, lineNumber: lineNumber, syntax: syntax, to: &block)
        fields[fields.count - 1] = Field(
          name: field.name, lines: field.lines.lowerBound..<block.count,
          value: field.value.lowerBound..<(block.count - 2))
      } else {
        let (name, length) = try MailHeader.name(of: content, lineNumber: lineNumber)
        try MailHeader.append(content, name: length, lineNumber: lineNumber, syntax: syntax, to: &block)
        fields.append(
          Field(name: name, lines: start..<block.count, value: (start + length)..<(block.count - 2)))
      }
    }
    self.fields = fields
    bytes = block
  }

  /// The number of bytes of all fields with their line ends.
  package var byteCount: Int { bytes.count }

  /// Returns the raw values, including folds, of all fields with the given lower-case name.
  package func values(of name: String) -> [[UInt8]] {
    fields.filter { $0.name == name }.map { Array(bytes[$0.value]) }
  }

  /// Returns the mailboxes of all fields with the given lower-case name.
  package func mailboxes(of name: String) throws(MailError) -> [Mailbox] {
    var mailboxes = [Mailbox]()
    for value in values(of: name) { mailboxes += try AddressList(value, field: name).mailboxes }
    return mailboxes
  }

  /// Whether there is a field with one of the given lower-case names.
  package func contains(_ names: String...) -> Bool { fields.contains { names.contains($0.name) } }

  /// Returns the field at `index` with its CRLF.
  func lines(_ index: Int) -> ArraySlice<UInt8> { bytes[fields[index].lines] }

  /// Appends all fields except those with the given lower-case names, unchanged.
  func append(to target: inout [UInt8], without names: Set<String>) {
    for field in fields where !names.contains(field.name) { target.append(contentsOf: bytes[field.lines]) }
  }

  private static func makeError(_ lineNumber: Int, _ message: String, remedy: String?) -> MailError {
    MailError("header line \(lineNumber)", message, remedy: remedy)
  }

  /// Returns the error about a line that isn't a field. If it is the first line, the mail has no header.
  private static func makeError(notAField message: String, _ lineNumber: Int) -> MailError {
    guard lineNumber == 1 else {
      return makeError(lineNumber, message, remedy: "put an empty line before the body")
    }
    return makeError(
      lineNumber, "the mail has no header: \(message)",
      remedy: "begin it with fields such as Subject: …, followed by an empty line")
  }

  /// Appends a line with its CRLF; folds it if it is longer than 998 bytes. `name` is the length of what comes before
  /// the field's value, 0 in a continuation line.
  private static func append(
    _ line: UnsafeBufferPointer<UInt8>, name: Int, lineNumber: Int, syntax: Syntax, to block: inout [UInt8]
  ) throws(MailError) {
    guard syntax == .strict, line.count > HeaderFolding.lineLimit else {
      block.append(contentsOf: line)
      block.append(0x0D)
      block.append(0x0A)
      return
    }
    guard HeaderFolding.append(line, name: name, to: &block) else {
      throw makeError(
        lineNumber, "the line has \(line.count) bytes and too few blanks to fold it at",
        remedy: "write it in lines of at most \(HeaderFolding.lineLimit) bytes")
    }
  }

  private static func check(_ line: UnsafeBufferPointer<UInt8>, lineNumber: Int) throws(MailError) {
    guard !line.contains(0) else {
      throw makeError(lineNumber, "the line contains a NUL character", remedy: "remove it")
    }
    guard line.allSatisfy({ $0 < 0x80 }) || String(validating: line, as: UTF8.self) != nil else {
      throw makeError(
        lineNumber, "the line isn't UTF-8", remedy: "write other character sets as encoded words (RFC 2047)")
    }
  }

  /// Whether a field is at `start`.
  static func beginsWithField(_ mail: UnsafeBufferPointer<UInt8>, at start: Int) -> Bool {
    var scanner = LineScanner(mail, from: start)
    return scanner.next().map { isPart($0, of: mail, after: []) } ?? false
  }

  /// Whether a line is a field, or continues one.
  private static func isPart(
    _ line: LineScanner.Line, of mail: UnsafeBufferPointer<UInt8>, after fields: [Field]
  ) -> Bool {
    guard let first = mail[line.content].first else { return false }
    if isBlank(first) { return !fields.isEmpty }
    return nameLength(of: UnsafeBufferPointer(rebasing: mail[line.content])) != nil
  }

  private static func check(
    tolerant line: LineScanner.Line, of mail: UnsafeBufferPointer<UInt8>, lineNumber: Int, size: Int
  ) throws(MailError) {
    // Normalizing a lone CR that an application let through inside a field would make a new field of it.
    guard line.end != .cr else {
      throw makeError(lineNumber, "the line contains a lone CR", remedy: "end lines with CRLF or LF")
    }
    guard
      LineScanner.find(0, in: UnsafeBufferPointer(rebasing: mail[line.content]), from: 0)
        == line.content.count
    else { throw makeError(lineNumber, "the line contains a NUL character", remedy: "remove it") }
    guard size + line.content.count <= Syntax.sizeLimit else {
      throw MailError("header", "more than \(Syntax.sizeLimit) bytes", remedy: "shorten its fields")
    }
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  /// Returns the length of the field's name and the index of the colon; `nil` if the line isn't a field.
  private static func nameLength(of line: UnsafeBufferPointer<UInt8>) -> (name: Int, colon: Int)? {
    let colon = LineScanner.find(UInt8(ascii: ":"), in: line, from: 0)
    guard colon < line.count else { return nil }
    // White space before the colon is obsolete syntax (RFC 5322, 4.5).
    var end = colon
    while end > 0, isBlank(line[end - 1]) { end -= 1 }
    guard end > 0, line[..<end].allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
    return (end, colon)
  }

  /// Returns the field's name in lower case and the number of bytes before its value.
  private static func name(
    of line: UnsafeBufferPointer<UInt8>, lineNumber: Int
  ) throws(MailError) -> (name: String, length: Int) {
    if let (end, colon) = nameLength(of: line) {
      return (String(decoding: line[..<end], as: UTF8.self).lowercased(), colon + 1)
    }
    let shown = quoted(String(decoding: line, as: UTF8.self))
    guard line.contains(UInt8(ascii: ":")) else {
      throw makeError(notAField: "\(shown) isn't a header field: it has no colon", lineNumber)
    }
    let message = "\(shown) isn't a header field: its name isn't one word"
    guard line.starts(with: "From ".utf8) || line.starts(with: ">From ".utf8) else {
      throw makeError(notAField: message, lineNumber)
    }
    throw makeError(lineNumber, message, remedy: "remove the mbox line")
  }
}

/// Splits bytes into lines that end with CRLF, LF or CR, in linear time.
package struct LineScanner {
  /// A line of the text.
  struct Line {
    /// The range of the line without its line end.
    var content: Range<Int>
    /// The index where the next line starts.
    var next: Int
    var end: End
  }

  /// The kind of line end.
  enum End { case crlf, lf, cr, none }

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position: Int
  // The first CR and LF at or after `position`, cached so that each byte is searched once for either.
  private var nextCR: Int
  private var nextLF: Int

  /// Scans the lines from `start` on; the buffer must outlive the scanner.
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

  /// Returns the index of the first `byte` at or after `start`, or the buffer's count if there is none.
  package static func find(_ byte: UInt8, in bytes: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
    // Consecutive line ends are common; this saves a call to memchr for each.
    if start < bytes.count, bytes[start] == byte { return start }
    guard start < bytes.count, let base = bytes.baseAddress,
      let found = memchr(base + start, Int32(byte), bytes.count - start)
    else { return bytes.count }
    return UnsafeRawPointer(found) - UnsafeRawPointer(base)
  }
}
