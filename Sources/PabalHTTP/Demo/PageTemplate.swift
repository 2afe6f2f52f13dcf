internal import FoundationEssentials

/// An HTML page with tags for values and sections.
///
/// The syntax is the subset of Mustache that a page of forms needs, so that the page works with any Mustache library.
struct PageTemplate: Sendable {
  private enum Piece {
    case literal(Substring)
    case value(String)
    /// The pieces up to index `end` are rendered only if the value is non-empty, or empty if `isInverted`.
    case section(String, isInverted: Bool, end: Int)
  }

  private let pieces: [Piece]
  /// The names of all values and sections.
  let names: Set<String>

  /// Parses a page with `{{name}}`, `{{#name}}`, `{{^name}}` and `{{/name}}`. A line that consists of a section's tag is
  /// removed.
  init(_ source: String) {
    var pieces: [Piece] = []
    var names: Set<String> = []
    var open: [Int] = []
    func addTag(_ tag: String) {
      let name = String(tag.drop { "#^/".contains($0) })
      names.insert(name)
      switch tag.first {
      case "#", "^":
        open.append(pieces.count)
        pieces.append(.section(name, isInverted: tag.first == "^", end: 0))
      case "/":
        guard let start = open.popLast(), case .section(name, let isInverted, _) = pieces[start] else {
          preconditionFailure("{{\(tag)}} closes nothing")
        }
        pieces[start] = .section(name, isInverted: isInverted, end: pieces.count)
      default: pieces.append(.value(name))
      }
    }
    for line in source.split(separator: "\n", omittingEmptySubsequences: false) {
      let tag = String(line).trimmed
      if tag.hasPrefix("{{"), "#^/".contains(tag.dropFirst(2).first ?? " "), tag.hasSuffix("}}"),
        !tag.dropFirst(2).contains("{")
      {
        addTag(String(tag.dropFirst(2).dropLast(2)))
        continue
      }
      var rest = line
      while let start = rest.firstRange(of: "{{"), let end = rest.firstRange(of: "}}") {
        pieces.append(.literal(rest[..<start.lowerBound]))
        addTag(String(rest[start.upperBound..<end.lowerBound]))
        rest = rest[end.upperBound...]
      }
      pieces.append(.literal(rest))
      pieces.append(.literal("\n"))
    }
    precondition(open.isEmpty, "a section isn't closed")
    self.pieces = pieces
    self.names = names
  }

  /// Returns the page with `values` inserted and HTML-escaped; a section is rendered if its value is non-empty.
  func render(_ values: [String: String]) -> String {
    var page = ""
    var index = 0
    while index < pieces.count {
      switch pieces[index] {
      case .literal(let text): page += text
      case .value(let name): page += PageTemplate.escaped(values[name] ?? "")
      case .section(let name, let isInverted, let end):
        if (values[name] ?? "").isEmpty != isInverted { index = end - 1 }
      }
      index += 1
    }
    return page
  }

  /// Returns the text escaped for HTML text and quoted attributes.
  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

/// The texts of the demo page in one language.
struct PageStrings: Sendable {
  /// `ko` or `en`.
  let language: String
  /// The texts by name.
  let texts: [String: String]

  private static let all = [
    PageStrings("ko", PackageResources.ko_json), PageStrings("en", PackageResources.en_json),
  ]

  private init(_ language: String, _ bytes: [UInt8]) {
    guard let texts = try? JSONDecoder().decode([String: String].self, from: Data(bytes)) else {
      preconditionFailure("the page's texts aren't a JSON object of strings")
    }
    self.language = language
    self.texts = texts
  }

  /// Returns the text called `name`.
  subscript(_ name: String) -> String {
    guard let text = texts[name] else { preconditionFailure("the page has no text \(name)") }
    return text
  }

  /// Returns the text called `name` with the value inserted for `variable`.
  func callAsFunction(_ name: String, _ variable: String, _ value: String) -> String {
    self[name].replacing("{{\(variable)}}", with: value)
  }

  /// Returns the text called `name` with `{{count}}` inserted, in the singular or plural form if it has both.
  func count(_ name: String, _ count: Int) -> String {
    self(texts[name] == nil ? "\(name).\(count == 1 ? "one" : "other")" : name, "count", "\(count)")
  }

  /// Returns a time in seconds below one minute, in minutes and seconds below ten minutes, in minutes below two hours,
  /// otherwise in hours; rounded up, so that it is never shorter than the actual time.
  func duration(_ seconds: Int64) -> String {
    let seconds = Int(seconds)
    let (minutes, rest) = (seconds / 60, seconds % 60)
    switch seconds {
    case ..<60: return count("seconds", seconds)
    case ..<600 where rest > 0:
      return self("minutes_seconds", "minutes", "\(minutes)").replacing("{{seconds}}", with: "\(rest)")
    case ..<7_200: return count("minutes", (seconds + 59) / 60)
    default: return count("hours", (seconds + 3_599) / 3_600)
    }
  }

  /// Returns what comes before and after `{{time}}` in the text called `name`.
  func aroundTime(_ name: String) -> (before: String, after: String) {
    let parts = self[name].components(separatedBy: "{{time}}")
    return (parts[0], parts.count > 1 ? parts[1] : "")
  }

  /// Returns the texts in `language`, or `nil` if the page doesn't have that language.
  static func inLanguage(_ language: String) -> PageStrings? { all.first { $0.language == language } }

  /// The texts in the other language.
  var other: PageStrings { PageStrings.all.first { $0.language != language } ?? self }

  /// Returns the texts in the language that `Accept-Language` prefers (RFC 9110, 12.5.4; lookup by RFC 4647, 3.4), or
  /// those in `language` if the page has none of its languages.
  static func accepted(_ header: String, else language: String) -> PageStrings {
    let ranges = header.prefix(1_000).split(separator: ",").enumerated().compactMap {
      (order, range) -> (order: Int, tag: String, quality: Double)? in
      let parts = range.split(separator: ";").map { String($0).trimmed.lowercased() }
      guard let tag = parts.first else { return nil }
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
      return quality > 0 ? (order, tag, quality) : nil
    }
    // The page's languages are primary tags, so lookup removes all subtags of a range.
    let match = ranges.sorted { ($1.quality, $0.order) < ($0.quality, $1.order) }.lazy.compactMap { range in
      range.tag.split(separator: "-").first.flatMap { inLanguage(String($0)) }
    }.first
    return match ?? inLanguage(language) ?? all[1]
  }
}
