/// The readable text of a response that isn't in the API's format: an HTML page of a proxy or a front end, or plain text.
package enum ResponseText {
  private static let maxLength = 200

  /// Returns the title of a page, or else its text, on one line of at most 200 characters; empty if the body isn't text,
  /// is broken JSON or a single word.
  package static func excerpt(_ body: [UInt8]) -> String {
    guard !body.contains(0), let text = String(validating: body.prefix(16_384), as: UTF8.self) else {
      return ""
    }
    guard let first = text.first(where: { !$0.isWhitespace }), !"{[\"".contains(first) else { return "" }
    guard text.utf8.contains(UInt8(ascii: "<")) else {
      let shown = line(text[...])
      return shown.contains(" ") ? shown : ""
    }
    let lower = text.lowercased()
    // The indices of both are the same only if the lower-case text has as many bytes.
    if lower.utf8.count == text.utf8.count, let start = lower.firstRange(of: "<title"),
      let open = lower[start.upperBound...].firstIndex(of: ">"),
      let end = lower[open...].firstRange(of: "</title")
    {
      let from = lower.utf8.distance(from: lower.startIndex, to: lower.index(after: open))
      let to = lower.utf8.distance(from: lower.startIndex, to: end.lowerBound)
      let title = line(Substring(text.utf8.dropFirst(from).prefix(to - from)))
      if !title.isEmpty { return title }
    }
    var shown = ""
    var isInTag = false
    for character in text {
      if character == "<" { isInTag = true }
      if !isInTag { shown.append(character) }
      if character == ">" {
        isInTag = false
        shown.append(" ")
      }
    }
    return line(shown[...])
  }

  private static func line(_ text: Substring) -> String {
    let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return words.count > maxLength ? words.prefix(maxLength) + "…" : words
  }
}
