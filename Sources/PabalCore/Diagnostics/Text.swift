/// `text` with control characters escaped, so that it can't take a terminal or a log line over.
///
/// Line feeds and tabs stay where `lines` is true, with CR LF folded to LF.
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

/// The candidate a misspelt `word` most likely meant, or `nil` when none is near enough to suggest.
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

/// The optimal string alignment distance: insertions, deletions, substitutions and neighbours swapped.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
  // A key that long is not a slip of the finger, and the table would cost its square.
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
  /// Without blanks at either end.
  package var trimmed: String {
    var rest = self[...]
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return String(rest)
  }
}
