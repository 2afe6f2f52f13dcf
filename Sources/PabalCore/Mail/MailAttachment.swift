internal import PabalFormats

/// A file that a mail carries.
public struct MailAttachment: Sendable, Hashable {
  /// The file's name, without a path.
  public var name: String { fileName.text }
  /// The media type, such as `application/pdf`.
  public var type: String { mediaType.text }
  /// The bytes of the file.
  public let content: [UInt8]

  private let fileName: HeaderText
  private let mediaType: MediaType

  /// The media type of a file of which nothing is known.
  public static let defaultType = "application/octet-stream"

  /// The maximum length of a name in UTF-8 bytes, as in most file systems.
  private static let nameLimit = 255

  /// Creates an attachment.
  ///
  /// Throws if the name is empty, has a path, a control character (also one for the direction of writing) or more than 255 bytes, or if the type isn't a media type
  /// that any file can have (`multipart/…` and `message/…` can't be encoded as files are, RFC 2045, 6.4).
  public init(
    name: String, type: String = MailAttachment.defaultType, content: [UInt8]
  ) throws(MailError) {
    // Files of macOS have decomposed names, which other systems show letter by letter.
    fileName = try HeaderText(name.composed, field: "name", limit: MailAttachment.nameLimit)
    guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(where: { "/\\".utf8.contains($0) })
    else {
      throw MailError("name", "\(quoted(name)) isn't the name of a file", remedy: "leave out its path")
    }
    // `invoice\u{202E}fdp.exe` is shown as `invoiceexe.pdf`.
    guard !name.unicodeScalars.contains(where: \.changesDirection) else {
      throw MailError(
        "name", "\(quoted(name)) contains a character that changes the direction of writing",
        remedy: "remove it")
    }
    mediaType = try MediaType(type)
    self.content = content
  }

  /// The size of the encoded part, without its boundary; at most some 100 bytes more than it takes.
  var encodedCapacity: Int { Base64.encodedCount(inLines: content.count) + 3 * name.utf8.count + 512 }

  /// Appends the part: its header fields, an empty line and the encoded content.
  func append(to target: inout [UInt8]) {
    target.append(ascii: "Content-Type: ")
    target.append(text: mediaType.text)
    target.append(ascii: "\r\nContent-Disposition: attachment")
    appendFileName(to: &target)
    target.append(ascii: "\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    Base64.append(lines: content.span, to: &target)
  }

  /// Appends the parameter `filename` (RFC 2183): as a quoted string, or encoded in lines of at most 78 bytes (RFC 2231, 3
  /// and 4).
  private func appendFileName(to target: inout [UInt8]) {
    // Some readers decode `=?…?=` in a quoted string, or drop the spaces at its ends.
    let isPlain =
      name.utf8.allSatisfy { $0 < 0x80 } && !name.contains("=?") && !name.hasPrefix(" ")
      && !name.hasSuffix(" ")
    guard !isPlain || name.utf8.count > 60 else {
      target.append(ascii: ";\r\n filename=\"")
      for byte in name.utf8 {
        if byte == UInt8(ascii: "\"") { target.append(UInt8(ascii: "\\")) }
        target.append(byte)
      }
      target.append(UInt8(ascii: "\""))
      return
    }
    let sections = encodedSections
    for (number, section) in sections.enumerated() {
      target.append(ascii: ";\r\n filename*")
      if sections.count > 1 { target.append(text: "\(number)*") }
      target.append(ascii: "=")
      if number == 0 { target.append(ascii: "UTF-8''") }
      target.append(contentsOf: section)
    }
  }

  /// The name, percent-encoded, in sections that don't split a character.
  private var encodedSections: [[UInt8]] {
    var sections: [[UInt8]] = [[]]
    for scalar in name.unicodeScalars {
      var encoded: [UInt8] = []
      PercentEncoding.append(String(scalar).utf8Span.span, allowing: .unreserved, to: &encoded)
      if sections[sections.count - 1].count + encoded.count > 54 { sections.append([]) }
      sections[sections.count - 1] += encoded
    }
    return sections
  }
}

extension Unicode.Scalar {
  /// Whether it embeds, overrides or isolates a direction of writing (UAX 9).
  fileprivate var changesDirection: Bool {
    switch self {
    case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}": true
    default: false
    }
  }
}

/// A media type with its parameters (RFC 2045, 5.1), in the form in which it is written into a header.
private struct MediaType: Hashable {
  let text: String

  private static let limit = 255

  init(_ text: String) throws(MailError) {
    guard text.utf8.count <= MediaType.limit, let normal = MediaType.normalized(Array(text.utf8)) else {
      throw MailError(
        "type", "\(quoted(text)) isn't a media type",
        remedy: "write it like application/pdf or text/csv; charset=utf-8")
    }
    guard !normal.hasPrefix("multipart/"), !normal.hasPrefix("message/") else {
      throw MailError(
        "type", "a file can't have the type \(quoted(normal))", remedy: "use \(MailAttachment.defaultType)")
    }
    self.text = normal
  }

  /// Returns type, subtype and parameters without the white space between them; `nil` if they aren't valid.
  private static func normalized(_ bytes: [UInt8]) -> String? {
    var rest = bytes[...]
    guard let type = takeToken(&rest), rest.popFirst() == UInt8(ascii: "/"), let subtype = takeToken(&rest)
    else { return nil }
    var text = "\(type)/\(subtype)".lowercased()
    while true {
      skipBlanks(&rest)
      guard let next = rest.popFirst() else { return text }
      guard next == UInt8(ascii: ";") else { return nil }
      skipBlanks(&rest)
      guard let name = takeToken(&rest), rest.popFirst() == UInt8(ascii: "="), let value = takeValue(&rest)
      else { return nil }
      // Each on a line of its own, because a line should have at most 78 bytes.
      text += ";\r\n \(name.lowercased())=\(value)"
    }
  }

  private static func skipBlanks(_ rest: inout ArraySlice<UInt8>) {
    rest = rest.drop { $0 == 0x20 }
  }

  private static func takeToken(_ rest: inout ArraySlice<UInt8>) -> String? {
    let token = rest.prefix { (0x21...0x7E).contains($0) && !"()<>@,;:\\\"/[]?=".utf8.contains($0) }
    rest = rest.dropFirst(token.count)
    return token.isEmpty ? nil : String(decoding: token, as: UTF8.self)
  }

  /// Takes a token or a quoted string of printable ASCII.
  private static func takeValue(_ rest: inout ArraySlice<UInt8>) -> String? {
    guard rest.first == UInt8(ascii: "\"") else { return takeToken(&rest) }
    let content = rest.dropFirst().prefix { (0x20...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C }
    rest = rest.dropFirst(content.count + 1)
    guard rest.popFirst() == UInt8(ascii: "\"") else { return nil }
    return "\"\(String(decoding: content, as: UTF8.self))\""
  }
}
