internal import PabalCore

/// The meaning of a private-use scalar in a tagged text.
enum Placeholder: Sendable, Hashable {
  /// `{{name}}`.
  case tag(String)
  /// A particle after the variable with the given name.
  case particle(Particle, of: String)

  /// The name of the variable, if the placeholder is a tag.
  var tag: String? { if case .tag(let name) = self { name } else { nil } }

  /// The name of the variable that the placeholder depends on.
  var name: String {
    switch self {
    case .tag(let name), .particle(_, of: let name): name
    }
  }
}

/// A file in which each tag and particle is replaced by a private-use scalar.
struct TaggedText: Sendable {
  let source: SourceText
  private(set) var scalars: [Unicode.Scalar] = []
  /// The index in `source` of each scalar in `scalars`.
  private(set) var origins: [Int] = []
  private(set) var placeholders: [Placeholder] = []
  /// The index in `source` of each placeholder.
  private(set) var placeholderOrigins: [Int] = []
  private(set) var issues: [Diagnostic] = []
  /// The indexes in `scalars` after invalid tags, each of which is one letter there.
  private(set) var invalidTags: Set<Int> = []

  /// The format of the file: only HTML may contain `}}` (in CSS), and only Markdown has links.
  enum Format: Sendable {
    case markdown
    case html
    case plain
  }

  let format: Format

  init(_ source: SourceText, format: Format) {
    self.source = source
    self.format = format
    scan()
  }

  /// Returns the placeholder that the scalar stands for, if any.
  func placeholder(_ scalar: Unicode.Scalar) -> Placeholder? {
    guard SourceText.placeholders.contains(scalar.value) else { return nil }
    let index = Int(scalar.value - SourceText.placeholders.lowerBound)
    return index < placeholders.count ? placeholders[index] : nil
  }

  /// Returns the position in the file of the scalar at `index` of `scalars`.
  func position(at index: Int) -> SourcePosition {
    source.position(at: index < origins.count ? origins[index] : source.scalars.count)
  }

  /// Returns the position in the file of the placeholder at `index` of `placeholders`.
  func position(ofPlaceholder index: Int) -> SourcePosition { source.position(at: placeholderOrigins[index]) }

  private mutating func scan() {
    let text = source.scalars
    scalars.reserveCapacity(text.count)
    origins.reserveCapacity(text.count)
    var index = 0
    // The variable directly before, ignoring closing marks.
    var variable: String?
    while index < text.count {
      if text[index] == "{", index + 1 < text.count {
        if text[index + 1] == "{" {
          let (name, end) = tag(at: index)
          if let name {
            append(.tag(name), at: index)
          } else {
            // Without a letter in its place, marks around the tag would be reported as well.
            append("x", from: index)
            invalidTags.insert(scalars.count)
          }
          variable = name
          index = end
          continue
        }
        if text[index + 1] == "%", format != .html {
          issue("{% has no meaning in a message", "write variables as {{name}}, or remove it", at: index)
        }
      }
      if text[index] == "}", index + 1 < text.count, text[index + 1] == "}", format != .html {
        issue("}} has no matching {{", "write {{ before the name, or remove it", at: index)
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
        issue(TaggedText.tooManyVariables, "shorten the message", at: origin)
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

  /// Parses the tag that opens at `start`; returns its name, or `nil` if it is invalid, and the index after it.
  private mutating func tag(at start: Int) -> (name: String?, end: Int) {
    let text = source.scalars
    let line = text[(start + 2)...].prefix { $0 != "\n" }
    let close = line.indices.first { text[$0] == "}" && $0 + 1 < line.endIndex && text[$0 + 1] == "}" }
    // A tag that starts before the end means that this tag isn't closed.
    guard let close, !line[..<close].dropFirst().contains("{") else {
      issue("{{ is never closed", "write {{name}} on one line", at: start)
      return (nil, start + 2)
    }
    // Whatever looks like a space counts as one.
    let inside = line[..<close].drop { LookAlike.isBlank($0) }
    let name = inside.prefix(inside.count - inside.reversed().prefix { LookAlike.isBlank($0) }.count)
    guard let word = TaggedText.name(name) else {
      let isASCII = name.allSatisfy(\.isASCII)
      let closing = line[close...].prefix { $0 == "}" }
      let meant = LookAlike.name(name.drop { $0 == "{" })
      issue(
        "{{\(String(scalars: name.prefix(40)).displayName)\(String(scalars: closing.prefix(40))) is not a valid variable",
        meant.map { isASCII ? "write {{\($0)}}" : "write {{\($0)}} in ASCII characters" }
          ?? "write {{name}} with a name from message.json: lower-case letters a to z, digits and _",
        at: start)
      return (nil, close + closing.count)
    }
    return (word, close + 2)
  }

  /// Returns the name if it is valid: lower-case letters, digits and `_`, starting with a letter, at most 64.
  static func name(_ scalars: some Collection<Unicode.Scalar>) -> String? {
    guard let first = scalars.first, ("a"..."z").contains(first), scalars.count <= 64 else { return nil }
    var name = String.UnicodeScalarView()
    for scalar in scalars {
      guard ("a"..."z").contains(scalar) || ("0"..."9").contains(scalar) || scalar == "_" else { return nil }
      name.append(scalar)
    }
    return String(name)
  }

  /// Returns the end of a Markdown link target between a variable and its particle, as in
  /// `[{{service}}](https://example.com)은(는)`.
  private func endOfLink(at start: Int) -> Int? {
    let text = source.scalars
    guard format == .markdown, text[start] == "]", start + 1 < text.count, text[start + 1] == "(" else {
      return nil
    }
    var end = start + 2
    // A target that contains a tag isn't skipped, because the tag must be processed.
    while end < text.count, text[end] != "\n", text[end] != " ", text[end] != "{" {
      if text[end] == ")" { return end + 1 }
      end += 1
    }
    return nil
  }

  /// Returns the end of an HTML tag between a variable and its particle, as in `<b>{{service}}</b>은(는)`.
  private func endOfElement(at start: Int) -> Int? {
    let text = source.scalars
    guard format == .html, text[start] == "<" else { return nil }
    guard let end = text[start...].firstIndex(where: { $0 == ">" || $0 == "{" || $0 == "\n" }),
      text[end] == ">"
    else { return nil }
    return end + 1
  }

  /// Whether a mark, bracket or quote may come between a variable and its particle.
  static func isSkipped(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "*", "_", "`", "~", "\"", "'", ")", "]", "}", ">", "”", "’", "»", "›", "」", "』", "》", "〉", "】",
      "〕", "）", "］", "｝", "＞", "＂", "＇":
      true
    default: false
    }
  }
}
