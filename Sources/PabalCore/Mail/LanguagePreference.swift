/// The languages that a caller prefers, read from tags (BCP 47) and from values of `Accept-Language` (RFC 9110, 12.5.4).
package struct LanguagePreference: Sendable, Hashable {
  /// The language ranges, the best first: well-formed, at most ``rangeLimit``, none longer than ``sizeLimit``.
  package let ranges: [String]

  /// The maximum number of ranges; those after it are ignored.
  package static let rangeLimit = 20
  /// The maximum size of a range in bytes; longer ones are ignored. RFC 5646, 4.4.1, requires 35.
  package static let sizeLimit = 35

  /// A text that isn't a language tag.
  package struct InvalidTag: Error, Sendable, Hashable {
    /// What is wrong.
    package let message: String
    /// What to write instead.
    package let remedy: String
  }

  /// Reads texts, each a tag such as `ko`, `en-US` or `en_US`, or a list such as `en;q=0.9, ko;q=0.1`. Throws for the
  /// first that isn't one.
  package init(_ texts: [String]) throws(InvalidTag) {
    var ranges: [(tag: String, weight: Int)] = []
    for text in texts {
      let elements = text.split(separator: ",", omittingEmptySubsequences: false)
      for element in elements {
        let element = String(element).trimmed
        // A list may have empty elements (RFC 9110, 5.6.1.2); an empty text is a mistake.
        if element.isEmpty, elements.count > 1 { continue }
        guard let range = try LanguagePreference.range(element), range.weight > 0 else { continue }
        ranges.append(range)
      }
    }
    // The sort is stable, so ranges of the same weight keep their order.
    let sorted = ranges.sorted { $0.weight > $1.weight }
    self.ranges = sorted.prefix(LanguagePreference.rangeLimit).map(\.tag)
  }

  /// Reads `tag` or `tag;q=0.5`. Returns `nil` for a range that lookup ignores.
  private static func range(_ element: String) throws(InvalidTag) -> (tag: String, weight: Int)? {
    let parts = element.split(separator: ";", omittingEmptySubsequences: false).map { String($0).trimmed }
    var weight = 1_000
    for parameter in parts.dropFirst() {
      guard parameter.utf8.count > 2, parameter.lowercased().hasPrefix("q="),
        let value = thousandths(parameter.dropFirst(2))
      else { throw invalid(element) }
      weight = value
    }
    var tag = parts[0]
    guard tag.utf8.count <= sizeLimit, tag != "*" else { return nil }
    // A POSIX locale such as `ko_KR.UTF-8` has the tag before its encoding.
    if tag.utf8.contains(UInt8(ascii: "_")) { tag = String(tag.prefix { $0 != "." && $0 != "@" }) }
    tag = String(tag.map { $0 == "_" ? "-" : $0 })
    guard isWellFormed(tag) else { throw invalid(element) }
    return (shortest(tag), weight)
  }

  /// Reads a weight from `0` to `1` with up to three decimals, as thousandths.
  private static func thousandths(_ text: Substring) -> Int? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard let whole = parts.first, whole == "0" || whole == "1" else { return nil }
    let decimals = parts.count == 2 ? parts[1] : ""
    guard decimals.utf8.count <= 3, decimals.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
    let padded = decimals + String(repeating: "0", count: 3 - decimals.utf8.count)
    guard let fraction = Int(padded) else { return nil }
    let value = (whole == "1" ? 1_000 : 0) + fraction
    return value <= 1_000 ? value : nil
  }

  /// Whether `tag` is a language of 2 or 3 letters, `x` or `i`, followed by subtags of 1 to 8 letters and digits.
  private static func isWellFormed(_ tag: String) -> Bool {
    let subtags = tag.split(separator: "-", omittingEmptySubsequences: false)
    for (index, subtag) in subtags.enumerated() {
      let isAlphanumeric = subtag.utf8.allSatisfy { byte in
        0x61...0x7A ~= byte | 0x20 || (index > 0 && 0x30...0x39 ~= byte)
      }
      guard isAlphanumeric, (1...8).contains(subtag.utf8.count) else { return false }
      if index == 0 {
        let isPrivate = subtags.count > 1 && ["x", "i"].contains(subtag.lowercased())
        guard isPrivate || (2...3).contains(subtag.utf8.count) else { return false }
      }
    }
    return true
  }

  /// Returns the tag with the two-letter code of its language, where people write the code of three letters instead
  /// (RFC 5646, 2.2.1 requires the shorter one).
  private static func shortest(_ tag: String) -> String {
    let language = tag.prefix { $0 != "-" }
    guard language.utf8.count == 3, let short = shortCodes[language.lowercased()] else { return tag }
    return short + tag.dropFirst(language.count)
  }

  private static let shortCodes = [
    "kor": "ko", "eng": "en", "jpn": "ja", "zho": "zh", "chi": "zh", "vie": "vi", "deu": "de", "ger": "de",
    "fra": "fr", "fre": "fr", "spa": "es", "rus": "ru", "tha": "th", "ind": "id",
  ]

  private static let names = [
    "english": "en", "korean": "ko", "japanese": "ja", "chinese": "zh", "vietnamese": "vi", "german": "de",
    "french": "fr", "spanish": "es", "한국어": "ko", "영어": "en", "일본어": "ja", "중국어": "zh",
  ]

  private static func invalid(_ text: String) -> InvalidTag {
    guard let tag = names[text.lowercased()] else {
      return InvalidTag(
        message: text.isEmpty ? "an empty text isn't a language tag" : "\(quoted(text)) isn't a language tag",
        remedy: "write it like \"ko\" or \"en-US\", or leave it out for the default language")
    }
    return InvalidTag(message: "\(quoted(text)) isn't a language tag", remedy: "did you mean \"\(tag)\"?")
  }
}
