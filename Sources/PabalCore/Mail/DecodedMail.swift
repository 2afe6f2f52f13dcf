internal import PabalFormats

/// The readable content of a finished mail: its subject and bodies, decoded.
///
/// Supports what `MailDraft` produces: UTF-8 bodies, single or in `multipart/alternative`, as 7bit, quoted-printable
/// or base64 (RFC 2045, RFC 2046).
package struct DecodedMail: Sendable, Hashable {
  /// The From field, decoded.
  package let from: String
  /// The To field, decoded.
  package let to: String
  /// The subject.
  package let subject: String
  /// The text/plain body with LF line ends.
  package private(set) var text: String?
  /// The text/html body.
  package private(set) var html: String?

  /// Decodes a mail; returns `nil` if its header can't be parsed.
  package init?(_ bytes: [UInt8]) {
    guard let part = MIMEPart(bytes[...]) else { return nil }
    from = part.displayText(of: "from")
    to = part.displayText(of: "to")
    subject = part.displayText(of: "subject")
    let parts = part.parameter("boundary").map { part.alternatives($0) } ?? [part]
    for part in parts {
      switch part.type {
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
    var decoder = EncodedWordDecoder()
    for word in value(name).split(whereSeparator: \.isWhitespace) {
      decoder.append(Array(word.utf8), followsSpace: true, mayBeEncoded: true)
    }
    return decoder.finished()
  }

  /// The media type, which defaults to `text/plain` (RFC 2045, 5.2).
  var type: String {
    let type = String(value("content-type").prefix { $0 != ";" }).trimmed.lowercased()
    return type.isEmpty ? "text/plain" : type
  }

  /// Returns a parameter of the Content-Type field.
  func parameter(_ name: String) -> String? {
    for parameter in value("content-type").split(separator: ";").dropFirst() {
      let parts = parameter.split(separator: "=", maxSplits: 1).map { String($0).trimmed }
      guard parts.count == 2, parts[0].lowercased() == name else { continue }
      let isQuoted = parts[1].count > 1 && parts[1].hasPrefix("\"") && parts[1].hasSuffix("\"")
      return isQuoted ? String(parts[1].dropFirst().dropLast()) : parts[1]
    }
    return nil
  }

  /// Returns the parts between the boundary's delimiter lines.
  func alternatives(_ boundary: String) -> [MIMEPart] {
    let delimiter = Array("--\(boundary)".utf8)
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
    let bytes: [UInt8] =
      switch value("content-transfer-encoding").trimmed.lowercased() {
      case "base64": (try? Base64.decode(body.span, .mime)) ?? []
      case "quoted-printable": quotedPrintable
      default: Array(body)
      }
    return String(decoding: bytes.filter { $0 != 0x0D }, as: UTF8.self)
  }

  private var quotedPrintable: [UInt8] {
    var bytes: [UInt8] = []
    var rest = body
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "=") else {
        bytes.append(byte)
        continue
      }
      let digits = Array(rest.prefix(2))
      if digits.count == 2, let value = Hexadecimal.bytes(digits.span) {
        bytes += value
        rest = rest.dropFirst(2)
      } else {
        // A soft line break.
        rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        if rest.first == 0x0A { rest = rest.dropFirst() }
      }
    }
    return bytes
  }
}
