internal import PabalCore

/// What a private-use scalar in a tagged text stands for.
enum Placeholder: Sendable, Hashable {
  /// `{{name}}`.
  case tag(String)
  /// A particle after the variable `of`.
  case particle(Particle, of: String)

  /// The name of the variable it shows.
  var tag: String? { if case .tag(let name) = self { name } else { nil } }

  /// The name of the variable it needs.
  var name: String {
    switch self {
    case .tag(let name), .particle(_, of: let name): name
    }
  }
}

/// A file whose tags and particles have become private-use scalars, one each, in order.
struct TaggedText: Sendable {
  let source: SourceText
  private(set) var scalars: [Unicode.Scalar] = []
  /// For every scalar of `scalars` the index in `source` it came from.
  private(set) var origins: [Int] = []
  private(set) var placeholders: [Placeholder] = []
  /// Where each placeholder stands in `source`.
  private(set) var placeholderOrigins: [Int] = []
  private(set) var issues: [Diagnostic] = []

  /// What kind of file it is: only CSS may hold `}}`, and only Markdown has links.
  enum Format: Sendable {
    case markdown
    case html
    case plain
  }

  private let format: Format

  init(_ source: SourceText, format: Format) {
    self.source = source
    self.format = format
    scan()
  }

  /// What the scalar stands for, where it is a placeholder.
  func placeholder(_ scalar: Unicode.Scalar) -> Placeholder? {
    guard SourceText.placeholders.contains(scalar.value) else { return nil }
    let index = Int(scalar.value - SourceText.placeholders.lowerBound)
    return index < placeholders.count ? placeholders[index] : nil
  }

  /// Where the scalar at `index` of `scalars` stands in the file.
  func position(at index: Int) -> SourcePosition {
    source.position(at: index < origins.count ? origins[index] : source.scalars.count)
  }

  /// Where the placeholder at `index` of `placeholders` stands in the file.
  func position(ofPlaceholder index: Int) -> SourcePosition { source.position(at: placeholderOrigins[index]) }

  private mutating func scan() {
    let text = source.scalars
    scalars.reserveCapacity(text.count)
    origins.reserveCapacity(text.count)
    var index = 0
    // The variable just before, marks passed over.
    var variable: String?
    while index < text.count {
      if text[index] == "{", index + 1 < text.count {
        if text[index + 1] == "{" {
          let (name, end) = tag(at: index)
          if let name { append(.tag(name), at: index) }
          variable = name
          index = end
          continue
        }
        if text[index + 1] == "%", format != .html {
          issue("{% does nothing in a message", "variables are written {{name}}; take it out", at: index)
        }
      }
      if text[index] == "}", index + 1 < text.count, text[index + 1] == "}", format != .html {
        issue("}} closes nothing", "write {{ before the name, or take it out", at: index)
        index += 2
        variable = nil
        continue
      }
      if let name = variable {
        if let particle = Particle.written(at: text[index...]) {
          append(.particle(particle, of: name), at: index)
          index += particle.written.unicodeScalars.count
          variable = nil
          continue
        }
        if let end = endOfLink(at: index) ?? endOfElement(at: index) {
          for passed in index..<end { append(text[passed], from: passed) }
          index = end
          continue
        }
        if !TaggedText.isSkipped(text[index]) { variable = nil }
      }
      append(text[index], from: index)
      index += 1
    }
  }

  private mutating func append(_ scalar: Unicode.Scalar, from origin: Int) {
    scalars.append(scalar)
    origins.append(origin)
  }

  private mutating func append(_ placeholder: Placeholder, at origin: Int) {
    let value = SourceText.placeholders.lowerBound + UInt32(placeholders.count)
    guard SourceText.placeholders.contains(value), let scalar = Unicode.Scalar(value) else {
      if issues.last?.message != TaggedText.tooManyVariables {
        issue(TaggedText.tooManyVariables, "make the message shorter", at: origin)
      }
      return
    }
    placeholders.append(placeholder)
    placeholderOrigins.append(origin)
    append(scalar, from: origin)
  }

  private static let tooManyVariables = "more than \(SourceText.placeholders.count) variables in one file"

  private mutating func issue(_ message: String, _ remedy: String, at index: Int) {
    issues.append(
      Diagnostic(message, remedy: remedy, file: source.file, position: source.position(at: index)))
  }

  /// The name in the tag that opens at `start`, unless it is wrong, and where the text goes on.
  private mutating func tag(at start: Int) -> (name: String?, end: Int) {
    let text = source.scalars
    let line = text[(start + 2)...].prefix { $0 != "\n" }
    let close = line.indices.first { text[$0] == "}" && $0 + 1 < line.endIndex && text[$0 + 1] == "}" }
    // Another tag before the end is that one's end, not this one's.
    guard let close, !line[..<close].dropFirst().contains("{") else {
      issue("{{ is never closed", "write {{name}}, on one line", at: start)
      return (nil, start + 2)
    }
    let inside = line[..<close].drop { $0 == " " }
    let name = inside.prefix(inside.count - inside.reversed().prefix { $0 == " " }.count)
    guard let word = TaggedText.name(name) else {
      issue(
        "{{\(String(scalars: name.prefix(40)).displayName)}} can't be a variable",
        "write {{name}} with a name from message.json, in small letters a to z, digits and _", at: start)
      return (nil, close + line[close...].prefix { $0 == "}" }.count)
    }
    return (word, close + 2)
  }

  /// The name, if it is one: small letters, digits and `_`, a letter first, 64 at most.
  static func name(_ scalars: some Collection<Unicode.Scalar>) -> String? {
    guard let first = scalars.first, ("a"..."z").contains(first), scalars.count <= 64 else { return nil }
    var name = String.UnicodeScalarView()
    for scalar in scalars {
      guard ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar) || scalar == "_" else { return nil }
      name.append(scalar)
    }
    return String(name)
  }

  /// Where the target of a Markdown link ends that stands between a variable and its particle:
  /// `[{{service}}](https://example.com)은(는)`.
  private func endOfLink(at start: Int) -> Int? {
    let text = source.scalars
    guard format == .markdown, text[start] == "]", start + 1 < text.count, text[start + 1] == "(" else {
      return nil
    }
    var end = start + 2
    // A tag in the target would lose its place; such a link ends the search.
    while end < text.count, text[end] != "\n", text[end] != " ", text[end] != "{" {
      if text[end] == ")" { return end + 1 }
      end += 1
    }
    return nil
  }

  /// Where the HTML tag ends that stands between a variable and its particle: `<b>{{service}}</b>은(는)`.
  private func endOfElement(at start: Int) -> Int? {
    let text = source.scalars
    guard format == .html, text[start] == "<" else { return nil }
    guard let end = text[start...].firstIndex(where: { $0 == ">" || $0 == "{" || $0 == "\n" }),
      text[end] == ">"
    else { return nil }
    return end + 1
  }

  /// Marks, brackets and quotes that may stand between a variable and its particle.
  static func isSkipped(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "*", "_", "`", "~", "\"", "'", ")", "]", "}", ">", "”", "’", "»", "›", "」", "』", "》", "〉", "】",
      "〕", "）", "］", "｝", "＞", "＂", "＇":
      true
    default: false
    }
  }
}
