/// The cause of a failed attempt, as logs, metrics and lists show it: one line of what the server or the transport said,
/// without personal data.
///
/// Addresses and the local parts of the mail's recipients become `(address)`, groups of six digits `(code)`, and the
/// query of a URL is removed, because servers repeat the recipient, the subject, and tokens in links.
public enum FailureCause {
  /// The length above which a cause is shortened, in characters.
  static let maxLength = 300
  private static let address = "(address)"
  private static let code = "(code)"

  /// Returns the cause in `reply` to a mail with `envelope`; `nil` if there is none.
  public static func redacted(_ reply: String?, envelope: Envelope? = nil) -> String? {
    guard let reply else { return nil }
    // More than can be shown, and few enough that a reply of a megabyte costs nothing.
    let words = reply.prefix(4 * maxLength).split(whereSeparator: \.isWhitespace).map(withoutQuery)
    var text = withoutAddresses(words.joined(separator: " "))
    for recipient in envelope?.recipients ?? [] {
      // A shorter name is found in ordinary words, and says little.
      guard recipient.localPart.count >= 3 else { continue }
      text = replacing(Array(recipient.localPart), in: Array(text))
    }
    text = withoutCodes(text)
    guard !text.isEmpty else { return nil }
    return text.count > maxLength ? text.prefix(maxLength - 1) + "…" : text
  }

  /// Returns the text with each address in it replaced by `(address)`, and with control characters escaped.
  public static func withoutAddresses(_ text: String) -> String {
    let text = printable(text)
    guard text.utf8.contains(UInt8(ascii: "@")) else { return text }
    var shown = ""
    var part = ""
    func flush() {
      shown += part.utf8.contains(UInt8(ascii: "@")) ? address : part
      part = ""
    }
    for character in text {
      if character.isWhitespace || "<>()[],;:\"'“”".contains(character) {
        flush()
        shown.append(character)
      } else {
        part.append(character)
      }
    }
    flush()
    return shown
  }

  private static func withoutQuery(_ word: Substring) -> String {
    guard let query = word.firstIndex(of: "?"), word[..<query].utf8.contains(UInt8(ascii: "/")),
      word.index(after: query) < word.endIndex
    else { return String(word) }
    return word[..<query] + "?…"
  }

  /// Replaces `name` where it stands as a word of its own, in upper or lower case.
  private static func replacing(_ name: [Character], in text: [Character]) -> String {
    func isPartOfWord(_ index: Int) -> Bool {
      text.indices.contains(index) && (text[index].isLetter || text[index].isNumber)
    }
    var shown = ""
    var index = 0
    while index < text.count {
      let end = index + name.count
      let isName =
        end <= text.count && !isPartOfWord(index - 1) && !isPartOfWord(end)
        && zip(name, text[index..<end]).allSatisfy { $0 == $1 || $0.lowercased() == $1.lowercased() }
      shown += isName ? address : String(text[index])
      index = isName ? end : index + 1
    }
    return shown
  }

  private static func withoutCodes(_ text: String) -> String {
    var shown = ""
    var digits = ""
    func flush() {
      shown += digits.utf8.count == 6 ? code : digits
      digits = ""
    }
    for character in text {
      if character.isASCII, character.isNumber {
        digits.append(character)
      } else {
        flush()
        shown.append(character)
      }
    }
    flush()
    return shown
  }
}
