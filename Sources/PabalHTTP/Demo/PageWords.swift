internal import FoundationEssentials

/// The words of the page in one language.
struct PageStrings: Sendable {
  /// `ko` or `en`.
  let language: String
  /// The words by their names.
  let texts: [String: String]

  private static let all = [
    PageStrings("ko", PackageResources.ko_json), PageStrings("en", PackageResources.en_json),
  ]

  private init(_ language: String, _ octets: [UInt8]) {
    guard let texts = try? JSONDecoder().decode([String: String].self, from: Data(octets)) else {
      preconditionFailure("the page's words are JSON texts by name")
    }
    self.language = language
    self.texts = texts
  }

  /// The words of this name.
  subscript(_ name: String) -> String {
    guard let text = texts[name] else { preconditionFailure("the page has no words \(name)") }
    return text
  }

  /// The same with a value in its place.
  func callAsFunction(_ name: String, _ variable: String, _ value: String) -> String {
    self[name].replacing("{{\(variable)}}", with: value)
  }

  /// Words for a number of things.
  func count(_ name: String, _ count: Int) -> String {
    self(texts[name] == nil ? "\(name).\(count == 1 ? "one" : "other")" : name, "count", "\(count)")
  }

  /// A time in its largest fitting unit, rounded up: who waits so long has waited long enough.
  func duration(_ seconds: Int64) -> String {
    let seconds = Int(seconds)
    if seconds < 120 { return count("seconds", seconds) }
    if seconds < 7_200 { return count("minutes", (seconds + 59) / 60) }
    return count("hours", (seconds + 3_599) / 3_600)
  }

  /// What stands before and after `{{time}}`.
  func aroundTime(_ name: String) -> (before: String, after: String) {
    let parts = self[name].components(separatedBy: "{{time}}")
    return (parts[0], parts.count > 1 ? parts[1] : "")
  }

  /// The words in `language`, where the page has that.
  static func inLanguage(_ language: String) -> PageStrings? { all.first { $0.language == language } }

  /// The words in the other language.
  var other: PageStrings { PageStrings.all.first { $0.language != language } ?? self }

  /// The words a reader asks for by `Accept-Language` (RFC 9110, 12.5.4), looked up as RFC 4647, 3.4 has it;
  /// else those in `language`.
  static func accepted(_ header: String, else language: String) -> PageStrings {
    let ranges = header.prefix(1_000).split(separator: ",").enumerated().compactMap {
      (order, range) -> (order: Int, tag: String, quality: Double)? in
      let parts = range.split(separator: ";").map { String($0).trimmed.lowercased() }
      guard let tag = parts.first else { return nil }
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      return quality > 0 ? (order, tag, quality) : nil
    }
    // What the page has are whole primary tags, so that a range loses all its subtags before it fits.
    let found = ranges.sorted { ($1.quality, $0.order) < ($0.quality, $1.order) }.lazy.compactMap { range in
      range.tag.split(separator: "-").first.flatMap { inLanguage(String($0)) }
    }.first
    return found ?? inLanguage(language) ?? all[1]
  }
}
