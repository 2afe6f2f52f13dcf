/// `text` with control characters escaped, so that it can't take a terminal or a log line over.
///
/// Line feeds and tabs stay where `lines` is true, with CR LF folded to LF.
public func printable(_ text: String, lines: Bool = false) -> String {
  var text = text
  let isPrintable = text.withUTF8 { octets in
    octets.allSatisfy { ($0 >= 0x20 && $0 < 0x7F) || ($0 >= 0x80 && $0 != 0xC2 && $0 != 0xE2) }
  }
  if isPrintable { return text }
  var escaped = ""
  var previous: Unicode.Scalar = " "
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\n" where lines, "\t" where lines: escaped.unicodeScalars.append(scalar)
    case "\r" where lines: break
    // Marks that turn the direction of writing can make a line read as another one.
    case "\u{0}"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}"..."\u{202E}", "\u{2066}"..."\u{2069}":
      escaped += "\\u{" + String(scalar.value, radix: 16) + "}"
    default:
      if previous == "\r", lines { escaped += "\n" }
      escaped.unicodeScalars.append(scalar)
    }
    previous = scalar
  }
  return escaped
}
