/// Takes a style sheet apart into rules and what is no rule.
struct StyleReader {
  /// One part of a style sheet.
  enum Part {
    case rule(selectors: [String], body: String)
    /// An at-rule, as it stands.
    case kept(String)
  }

  private let text: [Unicode.Scalar]
  private var index = 0
  private(set) var mistake: String?

  init(_ css: String) { text = StyleReader.withoutComments(Array(css.unicodeScalars)) }

  mutating func next() -> Part? {
    while index < text.count, text[index].properties.isWhitespace { index += 1 }
    guard index < text.count, mistake == nil else { return nil }
    let start = index
    let isAtRule = text[index] == "@"
    guard let end = skip(until: isAtRule ? ["{", ";"] : ["{"]) else {
      mistake = "a rule without { … }"
      return nil
    }
    let head = string(start..<end)
    if text[end] == ";" {
      index = end + 1
      return .kept(StyleReader.trimmed(Substring(head)) + ";")
    }
    index = end + 1
    guard let close = skipBlock() else {
      mistake = "a { that is never closed"
      return nil
    }
    if isAtRule { return .kept(StyleReader.squeezed(string(start..<index))) }
    let selectors = StyleReader.split(head, at: ",").map { StyleReader.trimmed($0) }
    return .rule(selectors: selectors, body: string((end + 1)..<close))
  }

  private func string(_ range: Range<Int>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: text[range])
    return String(view)
  }

  /// The place of the next of `stops`, quotes passed over.
  private func skip(until stops: Set<Unicode.Scalar>) -> Int? {
    var quote: Unicode.Scalar?
    for place in index..<text.count {
      let scalar = text[place]
      if let open = quote {
        if scalar == open { quote = nil }
      } else if scalar == "\"" || scalar == "'" {
        quote = scalar
      } else if stops.contains(scalar) {
        return place
      }
    }
    return nil
  }

  /// Goes past the `}` that closes the block just opened, and says where it is.
  private mutating func skipBlock() -> Int? {
    var depth = 1
    while let place = skip(until: ["{", "}"]) {
      index = place + 1
      depth += text[place] == "{" ? 1 : -1
      if depth == 0 { return place }
    }
    return nil
  }

  private static func withoutComments(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var kept: [Unicode.Scalar] = []
    var index = 0
    while index < text.count {
      if text[index] == "/", index + 1 < text.count, text[index + 1] == "*" {
        index += 3
        while index < text.count, !(text[index] == "/" && text[index - 1] == "*") { index += 1 }
        index += 1
      } else {
        kept.append(text[index])
        index += 1
      }
    }
    return kept
  }

  /// The parts between separators, those in quotes and brackets passed over.
  static func split(_ text: String, at separator: Character) -> [Substring] {
    var parts: [Substring] = []
    var start = text.startIndex
    var quote: Character?
    var depth = 0
    for index in text.indices {
      let character = text[index]
      if let open = quote {
        if character == open { quote = nil }
      } else if character == "\"" || character == "'" {
        quote = character
      } else if character == "(" {
        depth += 1
      } else if character == ")" {
        depth -= 1
      } else if character == separator, depth <= 0 {
        parts.append(text[start..<index])
        start = text.index(after: index)
      }
    }
    parts.append(text[start...])
    return parts
  }

  /// Without blanks around it, and with one blank for each run of them.
  static func trimmed(_ text: Substring) -> String {
    text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// Without the blanks that mean nothing, which are not around braces and after semicolons.
  private static func squeezed(_ text: String) -> String {
    var squeezed = ""
    for character in trimmed(Substring(text)) {
      if character == "{" || character == "}", squeezed.last == " " { squeezed.removeLast() }
      if character == " ", let last = squeezed.last, last == "{" || last == "}" || last == ";" { continue }
      if character == "}", squeezed.last == ";" { squeezed.removeLast() }
      squeezed.append(character)
    }
    return squeezed
  }
}
