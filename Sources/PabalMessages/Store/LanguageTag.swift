/// Language tags (BCP 47) and the choice among them (RFC 4647, section 3.4).
enum LanguageTag {
  /// Whether `tag` is a language's name in 2 or 3 letters and subtags of 1 to 8 letters and digits.
  static func isWellFormed(_ tag: String) -> Bool {
    guard tag.utf8.count <= 35 else { return false }
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

  /// Looks the first of `ranges` up that `have` (small letters) knows, each shortened step by step.
  static func lookUp(_ ranges: [String], in have: (String) -> Bool) -> String? {
    for range in ranges {
      var rest = Substring(range.lowercased())
      // A range of nothing but a wildcard says nothing in a look-up.
      while !rest.isEmpty, rest != "*" {
        if have(String(rest)) { return String(rest) }
        guard let dash = rest.lastIndex(of: "-") else { break }
        rest = rest[..<dash]
        // A subtag of one character introduces the one after it and goes with it.
        if rest.utf8.count >= 2, rest.dropLast().last == "-" { rest = rest.dropLast(2) }
      }
    }
    return nil
  }

  /// The language that people who write this tag mean, where it is a country's or a longer code (RFC 5646,
  /// section 2.2.1: the shortest one).
  static func commonMisspelling(_ tag: String) -> (name: String, tag: String)? {
    switch tag.lowercased() {
    case "kr", "kor": ("Korean", "ko")
    case "eng", "uk-en", "us": ("English", "en")
    case "jp", "jpn": ("Japanese", "ja")
    case "cn", "zho", "chi": ("Chinese", "zh-CN")
    case "tw": ("Chinese of Taiwan", "zh-TW")
    case "vn", "vie": ("Vietnamese", "vi")
    default: nil
    }
  }
}
