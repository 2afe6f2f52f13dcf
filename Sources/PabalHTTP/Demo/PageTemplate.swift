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
