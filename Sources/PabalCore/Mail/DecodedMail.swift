/// The readable content of a finished mail: its subject and bodies, decoded.
///
/// Supports what `MailDraft` produces and most of what others do: bodies in UTF-8 or Latin-1, single or in nested
/// multiparts, in any encoding (RFC 2045, RFC 2046).
package struct DecodedMail: Sendable, Hashable {
  /// The From field, decoded.
  package let from: String
  /// The To field, decoded.
  package let to: String
  /// The Cc field, decoded.
  package let cc: String
  /// The Reply-To field, decoded.
  package let replyTo: String
  /// The subject.
  package let subject: String
  /// The Date field.
  package let date: String
  /// The text/plain body with LF line ends.
  package private(set) var text: String?
  /// The text/html body.
  package private(set) var html: String?

  /// Decodes a mail; returns `nil` if its header can't be parsed.
  package init?(_ bytes: [UInt8]) {
    guard let part = MIMEPart(bytes[...]) else { return nil }
    from = part.displayText(of: "from")
    to = part.displayText(of: "to")
    cc = part.displayText(of: "cc")
    replyTo = part.displayText(of: "reply-to")
    subject = part.displayText(of: "subject")
    date = part.displayText(of: "date")
    for part in part.leaves() {
      switch part.type.name {
      case "text/plain": text = text ?? part.text
      case "text/html": html = html ?? part.text
      default: break
      }
    }
  }
}

/// A MIME entity: a header and its body.
private struct MIMEPart {
  private let header: MailHeader
  private let body: ArraySlice<UInt8>

  init?(_ bytes: ArraySlice<UInt8>) {
    var start = 0
    let header = try? bytes.withUnsafeBufferPointer { bytes in try MailHeader(of: bytes, bodyStart: &start) }
    guard let header else { return nil }
    self.header = header
    body = bytes.dropFirst(start)
  }

  private func value(_ name: String) -> String {
    header.values(of: name).first.map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// Returns a header field with encoded words decoded.
  func displayText(of name: String) -> String {
    header.values(of: name).first.map(EncodedWordDecoder.text) ?? ""
  }

  /// The media type.
  var type: ContentType { ContentType(header) }

  /// Returns the parts that aren't multiparts, without attachments.
  func leaves(depth: Int = 0) -> [MIMEPart] {
    let disposition = value("content-disposition").trimmed.lowercased()
    guard depth == 0 || !disposition.hasPrefix("attachment") else { return [] }
    let type = type
    guard type.isMultipart, let boundary = type.boundary, depth < 8 else { return [self] }
    return parts(boundary).flatMap { $0.leaves(depth: depth + 1) }
  }

  /// Returns the parts between the boundary's delimiter lines.
  private func parts(_ boundary: [UInt8]) -> [MIMEPart] {
    let delimiter = Array("--".utf8) + boundary
    var parts: [MIMEPart] = []
    var start: Int?
    body.withUnsafeBufferPointer { bytes in
      var lines = LineScanner(bytes)
      // The line break before a delimiter belongs to the delimiter (RFC 2046, 5.1.1).
      var end = 0
      while let line = lines.next() {
        defer { end = line.content.upperBound }
        guard bytes[line.content].starts(with: delimiter) else { continue }
        if let start, let part = MIMEPart(body.dropFirst(start).prefix(max(end - start, 0))) {
          parts.append(part)
        }
        start = line.next
      }
    }
    return parts
  }

  /// The decoded body with LF line ends.
  var text: String {
    let bytes = TransferEncoding.decoded(body, ContentType.encoding(header))
    let lines = bytes.filter { $0 != 0x0D }
    guard let charset = type["charset"]?.lowercased(),
      ["iso-8859-1", "latin1", "windows-1252"].contains(charset)
    else { return String(decoding: lines, as: UTF8.self) }
    var text = ""
    for byte in lines { text.unicodeScalars.append(Unicode.Scalar(byte)) }
    return text
  }
}
