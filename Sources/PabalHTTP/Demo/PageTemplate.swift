internal import FoundationEssentials

/// A page with places to fill: as much of Mustache as a page of forms needs, so that any Mustache library
/// takes a copy of it.
struct PageTemplate: Sendable {
  private enum Piece {
    case literal(Substring)
    case value(String)
    /// What follows, up to the piece of that number, stands only where the value is there, or isn't.
    case section(String, isInverted: Bool, end: Int)
  }

  private let pieces: [Piece]
  /// Every name that the page asks for.
  let names: Set<String>

  /// A page of `{{name}}`, `{{#name}}`, `{{^name}}` and `{{/name}}`; a section's tag alone on its line leaves no line.
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
    precondition(open.isEmpty, "a section of the page has no end")
    self.pieces = pieces
    self.names = names
  }

  /// The page with `values`, each escaped; a section stands where its value is there and not empty.
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

  /// Safe as text and in a quoted attribute.
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

/// The words of the page in one language.
struct PageStrings: Sendable {
  /// `ko` or `en`.
  let language: String
  /// The words by their names.
  let texts: [String: String]

  private static let all = [
    PageStrings("ko", PackageResources.ko_json), PageStrings("en", PackageResources.en_json),
  ]

  private init(_ language: String, _ bytes: [UInt8]) {
    guard let texts = try? JSONDecoder().decode([String: String].self, from: Data(bytes)) else {
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
