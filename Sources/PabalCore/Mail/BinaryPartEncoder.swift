internal import PabalFormats

/// The body of a mail after a part of it was re-encoded.
struct EncodedBody {
  /// The body, each line ended by CRLF.
  let body: [UInt8]
  /// The new encoding of the whole entity; `nil` if its field stays as it is.
  let encoding: String?
}

/// Re-encodes the binary parts of a foreign mail as base64.
///
/// A part with `Content-Transfer-Encoding: binary` (RFC 2045, 6.2) may contain any bytes. Transports carry lines: they
/// need CRLF at each end, at most 998 bytes between two, and no NUL (RFC 5321, 4.5.3.1.6). A binary part that isn't
/// such lines is encoded, with exactly the bytes it has; all others are kept.
///
/// The output of programs may have lone CRs and NULs without saying that it is binary. With
/// ``Scope/unsendable`` such parts are encoded as well, with CRLF at the end of their lines.
struct BinaryPartEncoder {
  /// Which parts may be encoded.
  enum Scope {
    /// Parts with `Content-Transfer-Encoding: binary`.
    case binary
    /// These, and all with a lone CR or a NUL.
    case unsendable
    /// All that aren't lines of at most 998 ASCII characters.
    case sevenBit
  }

  private let mail: UnsafeBufferPointer<UInt8>
  private let bodyStart: Int
  /// Whether the lines of the mail's structure end with CRLF, judged by its header.
  private let usesCRLF: Bool
  private let scope: Scope
  private static let maxDepth = 32

  /// Creates an encoder of `mail`, which must outlive it.
  init(_ mail: UnsafeBufferPointer<UInt8>, bodyStart: Int, scope: Scope = .binary) {
    self.mail = mail
    self.bodyStart = bodyStart
    self.scope = scope
    usesCRLF = bodyStart >= 2 && mail[bodyStart - 1] == 0x0A && mail[bodyStart - 2] == 0x0D
  }

  /// Returns the mail's new body, or `nil` if no part must be encoded. Throws if a part can't be encoded.
  func encode(_ header: MailHeader) throws(MailError) -> EncodedBody? {
    try encode(header, bodyStart..<mail.count, isSigned: false, depth: 0)
  }

  private func encode(
    _ header: MailHeader, _ body: Range<Int>, isSigned: Bool, depth: Int
  ) throws(MailError) -> EncodedBody? {
    guard depth < Self.maxDepth else { return nil }
    let type = ContentType(header)
    let declaredEncoding = ContentType.encoding(header)
    let isBinary = declaredEncoding == "binary"
    let content: [UInt8]?
    if let boundary = type.boundary, type.isMultipart {
      content = try multipart(
        body, boundary, isSigned: isSigned || type.name == "multipart/signed", depth: depth)
    } else if type.name == "message/rfc822" || type.name == "message/global" {
      content = try message(body, isSigned: isSigned, depth: depth)
    } else {
      let isUnsendable =
        switch scope {
        case .binary: false
        case .unsendable: !isBinary && mail.hasLoneCROrNUL(in: body)
        case .sevenBit: !isBinary && !(isLines(body, isText: true) && mail[body].allSatisfy { $0 < 0x80 })
        }
      guard isUnsendable || isBinary && !isLines(body, isText: type.isText) else { return nil }
      // Base64 and quoted-printable can't be encoded again (RFC 2045, 6.4).
      guard isBinary || declaredEncoding == "7bit" || declaredEncoding == "8bit" else { return nil }
      // Signatures cover a part in its encoding (RFC 1847, 2.1).
      guard !isSigned else {
        throw MailError(
          "body", "a signed part is binary, which no transport carries unchanged",
          remedy: "encode the part as base64 before it is signed")
      }
      var encoded: [UInt8] = []
      encoded.reserveCapacity(Base64.encodedCount(inLines: body.count))
      if isBinary {
        Base64.append(lines: UnsafeBufferPointer(rebasing: mail[body]).span, to: &encoded)
      } else {
        // Lines end with CRLF before they are encoded (RFC 2045, 6.8).
        var lines: [UInt8] = []
        lines.append(normalizing: mail, in: body, keepsLoneCR: true)
        Base64.append(lines: lines.span, to: &encoded)
      }
      return EncodedBody(body: encoded, encoding: "base64")
    }
    guard let content else { return nil }
    // An encoding other than 7bit, 8bit and binary isn't allowed here (RFC 2045, 6.4).
    let isDeclared = isBinary || scope == .sevenBit && declaredEncoding == "8bit"
    return EncodedBody(
      body: content, encoding: isDeclared ? (content.has8Bit(from: 0) ? "8bit" : "7bit") : nil)
  }

  /// Returns the body of a multipart with its parts encoded, or `nil` if none must be.
  private func multipart(
    _ body: Range<Int>, _ boundary: [UInt8], isSigned: Bool, depth: Int
  ) throws(MailError) -> [UInt8]? {
    var encoded: [UInt8]?
    var pending = body.lowerBound
    for part in parts(of: body, boundary) {
      guard let new = try entity(part, isSigned: isSigned, depth: depth) else { continue }
      var bytes = encoded ?? []
      bytes.append(normalizing: mail, in: pending..<part.lowerBound)
      bytes += new
      // The line break before the delimiter doesn't belong to the part.
      if part.upperBound < body.upperBound { bytes += [0x0D, 0x0A] }
      encoded = bytes
      pending = part.upperBound < body.upperBound ? afterLineBreak(part.upperBound) : part.upperBound
    }
    encoded?.append(normalizing: mail, in: pending..<body.upperBound)
    return encoded
  }

  private func message(_ body: Range<Int>, isSigned: Bool, depth: Int) throws(MailError) -> [UInt8]? {
    try entity(body, isSigned: isSigned, depth: depth)
  }

  /// Returns an entity, header and body, with its binary parts encoded, or `nil` if none must be.
  private func entity(_ range: Range<Int>, isSigned: Bool, depth: Int) throws(MailError) -> [UInt8]? {
    var start = 0
    let header: MailHeader
    do throws(MailError) {
      header = try MailHeader(
        of: UnsafeBufferPointer(rebasing: mail[range]), syntax: scope == .binary ? .strict : .tolerant,
        bodyStart: &start)
    } catch {
      guard mayBeBinary(range), !isLines(range, isText: true) else { return nil }
      throw MailError(
        "body", "a binary part has an invalid header (\(error.message)), so it can't be encoded",
        remedy: "encode the part as base64")
    }
    let body = (range.lowerBound + start)..<range.upperBound
    guard let new = try encode(header, body, isSigned: isSigned, depth: depth + 1) else { return nil }
    var bytes: [UInt8] = []
    header.append(to: &bytes, without: new.encoding == nil ? [] : ["content-transfer-encoding"])
    if let encoding = new.encoding {
      bytes.append(ascii: "Content-Transfer-Encoding: ")
      bytes.append(text: encoding)
      bytes.append(ascii: "\r\n")
    }
    bytes.append(ascii: "\r\n")
    return bytes + new.body
  }

  /// Returns the parts between a boundary's delimiter lines, without the line break before each (RFC 2046, 5.1.1).
  private func parts(of body: Range<Int>, _ boundary: [UInt8]) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var start: Int?
    var scanner = LineScanner(UnsafeBufferPointer(rebasing: mail[..<body.upperBound]), from: body.lowerBound)
    while let line = scanner.next() {
      guard let isLast = isDelimiter(line.content, boundary) else { continue }
      if let start { parts.append(start..<max(start, beforeLineBreak(line.content.lowerBound))) }
      guard !isLast else { return parts }
      start = line.next
    }
    if let start, start < body.upperBound { parts.append(start..<body.upperBound) }
    return parts
  }

  /// Whether a line is the boundary's last delimiter; `nil` if it is none.
  private func isDelimiter(_ line: Range<Int>, _ boundary: [UInt8]) -> Bool? {
    guard line.count >= boundary.count + 2, mail[line.lowerBound] == UInt8(ascii: "-"),
      mail[line.lowerBound + 1] == UInt8(ascii: "-"), mail[line].dropFirst(2).starts(with: boundary)
    else { return nil }
    let rest = mail[line].dropFirst(2 + boundary.count)
    let isLast = rest.starts(with: "--".utf8)
    return rest.dropFirst(isLast ? 2 : 0).allSatisfy { $0 == 0x20 || $0 == 0x09 } ? isLast : nil
  }

  /// Returns where the line break before `end` begins. Behind binary bytes, which may end with a CR, only the mail's own
  /// kind of line break tells how long it is.
  private func beforeLineBreak(_ end: Int) -> Int {
    let isPair = usesCRLF && end >= 2 && mail[end - 1] == 0x0A && mail[end - 2] == 0x0D
    return isPair ? end - 2 : end - 1
  }

  private func afterLineBreak(_ start: Int) -> Int {
    let isPair = mail[start] == 0x0D && start + 1 < mail.count && mail[start + 1] == 0x0A
    return isPair ? start + 2 : start + 1
  }

  /// Whether the bytes are lines that are sent unchanged. In a text, the line ends of the mail itself stand for CRLF.
  private func isLines(_ range: Range<Int>, isText: Bool) -> Bool {
    guard !mail[range].contains(0) else { return false }
    var scanner = LineScanner(
      UnsafeBufferPointer(rebasing: mail[..<range.upperBound]), from: range.lowerBound)
    while let line = scanner.next() {
      let isEnd = line.end == .none || line.end == .crlf || isText && !usesCRLF && line.end == .lf
      guard isEnd, line.content.count <= HeaderFolding.lineLimit else { return false }
      // At the end of the mail a line end would be added.
      if line.end == .none, !isText, range.upperBound == mail.count { return false }
    }
    return true
  }

  /// Whether an entity whose header can't be parsed says that it is binary.
  private func mayBeBinary(_ range: Range<Int>) -> Bool {
    var scanner = LineScanner(
      UnsafeBufferPointer(rebasing: mail[..<range.upperBound]), from: range.lowerBound)
    while let line = scanner.next(), !line.content.isEmpty {
      let text = String(decoding: mail[line.content].prefix(200), as: UTF8.self).lowercased()
      if text.contains("binary") { return true }
    }
    return false
  }
}

/// The media type of an entity (RFC 2045, 5).
struct ContentType {
  /// The type in lower case; `text/plain` if there is none.
  let name: String
  private let parameters: Substring

  /// Reads the Content-Type field of a header.
  init(_ header: MailHeader) {
    let value = ContentType.value(header, "content-type")
    let end = value.firstIndex(of: ";") ?? value.endIndex
    let name = String(value[..<end]).trimmed.lowercased()
    self.name = name.isEmpty ? "text/plain" : name
    parameters = value[end...]
  }

  var isMultipart: Bool { name.hasPrefix("multipart/") }
  var isText: Bool { name.hasPrefix("text/") }
  /// The boundary between the parts of a multipart.
  var boundary: [UInt8]? { self["boundary"].map { Array($0.utf8) } }

  /// Returns the Content-Transfer-Encoding of a header in lower case, without comments; `7bit` if there is none.
  static func encoding(_ header: MailHeader) -> String {
    let value = value(header, "content-transfer-encoding").lowercased()
    let word = value.prefix { $0 != "(" && $0 != ";" }
    let encoding = String(word).trimmed
    return encoding.isEmpty ? "7bit" : encoding
  }

  /// Returns a parameter, without its quotes.
  subscript(name: String) -> String? {
    var rest = parameters
    while let semicolon = rest.firstIndex(of: ";") {
      rest = rest[rest.index(after: semicolon)...]
      guard let equals = rest.firstIndex(where: { $0 == "=" || $0 == ";" }), rest[equals] == "=" else {
        continue
      }
      let key = String(rest[..<equals]).trimmed.lowercased()
      rest = rest[rest.index(after: equals)...].drop { $0.isWhitespace }
      let value = ContentType.takeValue(&rest)
      if key == name, !value.isEmpty { return value }
    }
    return nil
  }

  private static func takeValue(_ rest: inout Substring) -> String {
    guard rest.first == "\"" else {
      let value = rest.prefix { $0 != ";" && !$0.isWhitespace && $0 != "(" }
      rest = rest[value.endIndex...]
      return String(value)
    }
    rest = rest.dropFirst()
    var value = ""
    while let character = rest.popFirst(), character != "\"" {
      if character == "\\" {
        if let next = rest.popFirst() { value.append(next) }
      } else {
        value.append(character)
      }
    }
    return value
  }

  /// Returns a field's first value, unfolded.
  private static func value(_ header: MailHeader, _ name: String) -> String {
    let bytes = header.values(of: name).first ?? []
    return String(decoding: bytes.filter { $0 != 0x0D && $0 != 0x0A }, as: UTF8.self)
  }
}
