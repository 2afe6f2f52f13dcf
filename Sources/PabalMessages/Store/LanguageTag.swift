/// Language tags (BCP 47) and language lookup (RFC 4647, section 3.4).
enum LanguageTag {
  /// Whether `tag` is a language of 2 or 3 letters followed by subtags of 1 to 8 letters and digits.
  static func isWellFormed(_ tag: String) -> Bool {
    guard tag.utf8.count <= maxSize else { return false }
    let subtags = tag.split(separator: "-", omittingEmptySubsequences: false)
    for (index, subtag) in subtags.enumerated() {
      let isLetters = subtag.utf8.allSatisfy { ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A }
      let isAlphanumeric = subtag.utf8.allSatisfy {
        ($0 | 0x20) >= 0x61 && ($0 | 0x20) <= 0x7A || $0 >= 0x30 && $0 <= 0x39
      }
      guard index == 0 ? isLetters && (2...3).contains(subtag.utf8.count) : isAlphanumeric,
        (1...8).contains(subtag.utf8.count)
      else { return false }
    }
    return true
  }

  /// The maximum length of a tag or range in bytes (RFC 5646, section 4.4.1).
  static let maxSize = 35
  /// How many ranges are tried.
  static let maxRangeCount = 20

  /// Returns the first tag that `isAvailable` accepts, trying each range in order and shortening it step by step. All
  /// tags are in lower case.
  ///
  /// Longer ranges are ignored, and so are those after the first 20, because callers pass on what their clients sent.
  static func lookUp(_ ranges: [String], in isAvailable: (String) -> Bool) -> String? {
    for range in ranges.lazy.filter({ $0.utf8.count <= maxSize }).prefix(maxRangeCount) {
      var rest = Substring(range.lowercased())
      // The wildcard range is ignored in lookup.
      while !rest.isEmpty, rest != "*" {
        if isAvailable(String(rest)) { return String(rest) }
        guard let dash = rest.lastIndex(of: "-") else { break }
        rest = rest[..<dash]
        // A single-character subtag is removed together with the subtag after it.
        if rest.utf8.count >= 2, rest.dropLast().last == "-" { rest = rest.dropLast(2) }
      }
    }
    return nil
  }

  /// Returns the language that is likely meant by a country code or a three-letter code; BCP 47 requires the shortest
  /// code (RFC 5646, section 2.2.1).
  static func commonMisspelling(_ tag: String) -> (name: String, tag: String)? {
    switch tag.lowercased() {
    case "kr", "kor": ("Korean", "ko")
    case "eng", "uk-en", "us": ("English", "en")
    case "jp", "jpn": ("Japanese", "ja")
    case "cn", "zho", "chi": ("Chinese", "zh-CN")
    case "tw": ("Taiwanese Chinese", "zh-TW")
    case "vn", "vie": ("Vietnamese", "vi")
    default: nil
    }
  }
}
