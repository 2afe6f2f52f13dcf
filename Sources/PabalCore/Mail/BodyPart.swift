/// A text body in canonical form, with the transfer encoding that makes it shortest (RFC 2045).
struct BodyPart {
  private let octets: [UInt8]
  private let encoding: Encoding

  private enum Encoding: String {
    case plain = "7bit"
    case quotedPrintable = "quoted-printable"
    case base64 = "base64"
  }

  /// The text with CRLF at each line's end, the last one's too.
  init(_ text: String, field: String) throws(MailProblem) {
    let source = text.utf8Span.span
    var octets = [UInt8]()
    octets.reserveCapacity(source.count + source.count / 16 + 2)
    var isPlain = true
    var quotedLength = 0
    var start = 0
    var lineStart = 0
    var i = 0
    while i < source.count {
      let octet = source[i]
      if octet == 0x0A || octet == 0x0D {
        source.extracting(start..<i).withUnsafeBufferPointer { octets.append(contentsOf: $0) }
        octets.append(0x0D)
        octets.append(0x0A)
        isPlain = isPlain && BodyPart.isPlainLine(source.extracting(lineStart..<i))
        if octet == 0x0D, i + 1 < source.count, source[i + 1] == 0x0A { i += 1 }
        start = i + 1
        lineStart = start
        quotedLength += 2
      } else {
        guard octet != 0 else {
          throw MailProblem(field, "it holds a NUL character, which no mail may", cure: "remove it")
        }
        let isLiteral = octet < 0x7F && (octet >= 0x20 || octet == 0x09) && octet != UInt8(ascii: "=")
        quotedLength += isLiteral ? 1 : 3
        isPlain = isPlain && octet < 0x7F && (octet >= 0x20 || octet == 0x09)
      }
      i += 1
    }
    if lineStart < source.count || source.count == 0 {
      source.extracting(start..<source.count).withUnsafeBufferPointer { octets.append(contentsOf: $0) }
      octets.append(0x0D)
      octets.append(0x0A)
      isPlain = isPlain && BodyPart.isPlainLine(source.extracting(lineStart..<source.count))
    }
    self.octets = octets
    // Soft line breaks and line ends cost 3 in 76 and 2 in 78.
    quotedLength += quotedLength / 75 * 3
    let base64Length = (octets.count + 2) / 3 * 4 + (octets.count + 56) / 57 * 2
    encoding = isPlain ? .plain : quotedLength <= base64Length ? .quotedPrintable : .base64
  }

  /// Whether relays leave the line alone: no more than 78 octets, no space at its end, and nothing at its
  /// start that means something to a mailbox (`From `), to SMTP (`.`) or to MIME (`--`).
  private static func isPlainLine(_ line: Span<UInt8>) -> Bool {
    guard line.count <= 78 else { return false }
    guard line.count > 0 else { return true }
    let last = line[line.count - 1]
    let isDelimiter = line.count > 1 && line[0] == UInt8(ascii: "-") && line[1] == UInt8(ascii: "-")
    return last != 0x20 && last != 0x09 && line[0] != UInt8(ascii: ".") && !isDelimiter
      && !isFromLine(line, 0)
  }

  private static func isFromLine(_ octets: Span<UInt8>, _ i: Int) -> Bool {
    i + 4 < octets.count && octets[i] == UInt8(ascii: "F") && octets[i + 1] == UInt8(ascii: "r")
      && octets[i + 2] == UInt8(ascii: "o") && octets[i + 3] == UInt8(ascii: "m") && octets[i + 4] == 0x20
  }

  /// The room the part takes at most, for reserving it.
  var capacity: Int { octets.count * 3 / 2 + 160 }

  /// Appends the part's header fields, the empty line and the encoded text.
  func append(subtype: String, to target: inout [UInt8]) {
    target.append(contentsOf: "Content-Type: text/".utf8)
    target.append(contentsOf: subtype.utf8)
    target.append(contentsOf: "; charset=utf-8\r\nContent-Transfer-Encoding: ".utf8)
    target.append(contentsOf: encoding.rawValue.utf8)
    target.append(contentsOf: "\r\n\r\n".utf8)
    switch encoding {
    case .plain: target.append(contentsOf: octets)
    case .base64: Base64.append(lines: octets.span, to: &target)
    case .quotedPrintable: appendQuotedPrintable(to: &target)
    }
  }

  /// RFC 2045, 6.7: lines of at most 76 octets, no code point on two of them.
  private func appendQuotedPrintable(to target: inout [UInt8]) {
    let source = octets.span
    var column = 0
    var isLineStart = true
    var i = 0
    while i < source.count {
      let octet = source[i]
      if octet == 0x0D {
        target.append(0x0D)
        target.append(0x0A)
        i += 2
        column = 0
        isLineStart = true
        continue
      }
      let isLast = source[i + 1] == 0x0D
      let isSpace = octet == 0x20 || octet == 0x09
      let isLiteral =
        octet < 0x7F && (octet > 0x20 || isSpace && !isLast) && octet != UInt8(ascii: "=")
        && !(isLineStart && (octet == UInt8(ascii: ".") || BodyPart.isFromLine(source, i)))
      let length = isLiteral ? 1 : 3
      // A lead octet takes its followers along.
      let needed = octet >= 0xF0 ? 12 : octet >= 0xE0 ? 9 : octet >= 0xC0 ? 6 : length
      if column + needed + (isLast ? 0 : 1) > 76 {
        target.append(UInt8(ascii: "="))
        target.append(0x0D)
        target.append(0x0A)
        column = 0
      }
      if isLiteral {
        target.append(octet)
      } else {
        target.append(UInt8(ascii: "="))
        target.append(hexadecimal(octet >> 4))
        target.append(hexadecimal(octet & 15))
      }
      column += length
      isLineStart = false
      i += 1
    }
  }
}
