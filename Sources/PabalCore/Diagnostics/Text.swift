/// Returns `text` with control characters escaped, so that it can't control a terminal or forge a log line.
///
/// If `lines` is true, line feeds and tabs stay, and CR LF becomes LF.
public func printable(_ text: String, lines: Bool = false) -> String {
  var text = text
  let isPrintable = text.withUTF8 { bytes in
    bytes.allSatisfy { ($0 >= 0x20 && $0 < 0x7F) || ($0 >= 0x80 && $0 != 0xC2 && $0 != 0xE2) }
  }
  if isPrintable { return text }
  var escaped = ""
  var previous: Unicode.Scalar = " "
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\n" where lines, "\t" where lines: escaped.unicodeScalars.append(scalar)
    case "\r" where lines: break
    // Marks that change the direction of writing can make a line look like another.
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

/// Returns the candidate that a misspelt `word` most likely means, or `nil` if none is close enough to suggest.
public func nearest(to word: String, among candidates: some Sequence<String>) -> String? {
  let word = Array(word.lowercased().unicodeScalars)
  var best: (candidate: String, distance: Int)?
  for candidate in candidates {
    let distance = editDistance(word, Array(candidate.lowercased().unicodeScalars))
    if distance < best?.distance ?? .max { best = (candidate, distance) }
  }
  guard let best, best.distance <= max(1, max(word.count, best.candidate.unicodeScalars.count) / 3) else {
    return nil
  }
  return best.candidate
}

/// Returns the optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
  // A longer word isn't a typing error, and the time grows with the square of the length.
  guard a.count <= 64, b.count <= 64 else { return .max }
  guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
  var beforeLast = [Int](repeating: 0, count: b.count + 1)
  var last = Array(0...b.count)
  for i in 1...a.count {
    var row = [i] + [Int](repeating: 0, count: b.count)
    for j in 1...b.count {
      row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
        row[j] = min(row[j], beforeLast[j - 2] + 1)
      }
    }
    (beforeLast, last) = (last, row)
  }
  return last[b.count]
}

extension String {
  /// The string without white space at either end.
  package var trimmed: String {
    var rest = self[...]
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return String(rest)
  }

  /// Whether the string contains a scalar of Unicode's category Cc, such as CR, LF or NUL.
  package var containsControlCharacter: Bool {
    unicodeScalars.contains { $0.value < 0x20 || 0x7F...0x9F ~= $0.value }
  }
}

/// Returns foreign text between single quotes for an error: escaped, and shortened with an ellipsis after 60 scalars.
func quoted(_ text: some StringProtocol) -> String {
  var shown = "'"
  for (count, scalar) in text.unicodeScalars.enumerated() {
    guard count < 60 else { return shown + "…'" }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
      shown += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
    default: shown.unicodeScalars.append(scalar)
    }
  }
  return shown + "'"
}

/// Returns `word` quoted for a POSIX shell, where it needs quotes.
package func shellQuoted(_ word: String) -> String {
  let isPlain = word.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "-"), 0x80...0xFF:
      true
    default: false
    }
  }
  if isPlain { return word }
  return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

/// Returns `text` as a JSON string that can be copied from an error into a file.
func jsonLiteral(_ text: String) -> String {
  "\"" + printable(text).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
}

/// Returns a number with its noun in the singular or plural, such as `1 attempt`.
package func counted(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
