internal import PabalCore

/// An HTML file with its style rules copied into its elements, ready to be filled in.
struct HTMLTemplate: Sendable {
  /// A piece of the file.
  enum Piece: Sendable {
    case literal(String)
    /// A placeholder, by its number in `tagged`, and the escaping of its value.
    case placeholder(Int, ValueEscaping)
  }

  let tagged: TaggedText
  private(set) var pieces: [Piece] = []
  private(set) var styles = StyleSheet()
  private(set) var issues: [Diagnostic]
  /// Whether the file is a whole page, not a part of one.
  private(set) var isPage = false

  init(_ source: SourceText) {
    tagged = TaggedText(source, format: .html)
    issues = tagged.issues

    var reader = HTMLTokenizer(tagged.scalars)
    var tokens: [HTMLToken] = []
    while let token = reader.next() { tokens.append(token) }
    for (message, remedy, at) in reader.issues { issue(message, remedy, at: at) }
    readStyles(tokens)
    var literal = LiteralWriter()
    for token in tokens { write(token, to: &literal) }
    flush(&literal)
  }

  /// The names of all placeholders with their positions, except those in dropped comments.
  var names: [(name: String, position: SourcePosition)] {
    pieces.compactMap { piece in
      guard case .placeholder(let number, _) = piece else { return nil }
      return (tagged.placeholders[number].name, tagged.position(ofPlaceholder: number))
    }
  }

  /// The positions of all `{{content}}` placeholders, except those in dropped comments.
  var contentPositions: [SourcePosition] {
    pieces.compactMap { piece in
      guard case .placeholder(let number, _) = piece, tagged.placeholders[number] == .tag("content") else {
        return nil
      }
      return tagged.position(ofPlaceholder: number)
    }
  }

  private mutating func issue(
    _ message: String, _ remedy: String?, at index: Int, severity: Diagnostic.Severity = .error
  ) {
    issues.append(
      Diagnostic(
        message, remedy: remedy, file: tagged.source.file, position: tagged.position(at: index),
        severity: severity))
  }

  private func string(_ range: Range<Int>) -> String {
    String(scalars: tagged.scalars[range])
  }

  private mutating func readStyles(_ tokens: [HTMLToken]) {
    var css = ""
    for case .raw(let range, of: "style") in tokens {
      css += string(range)
      rejectPlaceholders(in: range, "a <style>")
      css += "\n"
    }
    styles = StyleSheet(css)
    if let message = styles.issue {
      let ranges = tokens.lazy.compactMap { if case .raw(let range, of: "style") = $0 { range } else { nil } }
      issue("the <style> has \(message)", "check its braces", at: ranges.first?.lowerBound ?? 0)
    }
  }

  private mutating func rejectPlaceholders(in range: Range<Int>, _ place: String) {
    // A lower-cased name may be longer than the original.
    let range = range.clamped(to: 0..<tagged.scalars.count)
    for index in range where tagged.placeholder(tagged.scalars[index]) != nil {
      issue("a variable can't be used in \(place)", "move it into the text or a quoted attribute", at: index)
    }
  }

  private mutating func write(_ token: HTMLToken, to literal: inout LiteralWriter) {
    switch token {
    case .text(let range):
      append(range, as: .html, to: &literal)
    case .open(let name, let attributes, let isClosed, let at):
      open(name, attributes, isClosed: isClosed, at: at, to: &literal)
    case .close("style", _): break
    case .close(let name, let at):
      rejectPlaceholders(in: at..<(at + name.unicodeScalars.count), "the name of an element")
      literal.append("</\(name)>")
      literal.close(name)
    case .raw(let range, of: let name):
      // The remaining rules of all <style> elements go into the first one.
      if name == "style" { break }
      rejectPlaceholders(in: range, "a <\(name)>")
      literal.append(string(range))
    case .comment(let range):
      // Conditional comments for Outlook are kept.
      guard string(range).hasPrefix("<!--[if ") else { break }
      rejectPlaceholders(in: range, "a comment")
      literal.append(string(range))
    case .declaration(let range):
      isPage = true
      rejectPlaceholders(in: range, "a declaration")
      literal.append(string(range))
    }
  }

  private mutating func open(
    _ name: String, _ attributes: [HTMLToken.Attribute], isClosed: Bool, at: Int,
    to literal: inout LiteralWriter
  ) {
    if name == "style" {
      if !styles.remainingCSS.isEmpty, !literal.hasStyle {
        literal.hasStyle = true
        literal.append("<style>\n\(styles.remainingCSS)</style>")
      }
      return
    }
    rejectPlaceholders(in: at..<(at + 1 + name.unicodeScalars.count), "the name of an element")
    check(name, attributes, at: at)
    if name == "html" { isPage = true }
    literal.open(name)
    literal.append("<\(name)")
    var classes: [String] = []
    var inlineStyle = ""
    for attribute in attributes {
      if attribute.name == "class", let value = attribute.value {
        classes = string(value).split(separator: " ").map(String.init)
      }
      if attribute.name == "style", let value = attribute.value {
        rejectPlaceholders(in: value, "a style attribute")
        inlineStyle = string(value)
        continue
      }
      write(attribute, to: &literal)
    }
    literal.append(styles.attribute(element: name, classes: classes, inlineStyle: inlineStyle))
    literal.append(isClosed ? " />" : ">")
  }

  private mutating func write(_ attribute: HTMLToken.Attribute, to literal: inout LiteralWriter) {
    let end = attribute.at + attribute.name.unicodeScalars.count
    rejectPlaceholders(in: attribute.at..<end, "the name of an attribute")
    literal.append(" \(attribute.name)")
    guard let value = attribute.value else { return }
    literal.append("=\"")
    if !attribute.isQuoted { rejectPlaceholders(in: value, "an attribute without quotes") }
    if attribute.name.hasPrefix("on") { rejectPlaceholders(in: value, "a script attribute") }
    let isURL = HTMLTemplate.urlAttributes.contains(attribute.name)
    for index in value {
      let scalar = tagged.scalars[index]
      if let number = number(of: scalar) {
        flush(&literal)
        pieces.append(
          .placeholder(number, !isURL ? .html : index == value.lowerBound ? .urlAttribute : .urlComponent))
      } else {
        literal.append(scalar == "\"" ? "&quot;" : String(scalar))
      }
    }
    literal.append("\"")
  }

  private static let urlAttributes: Set<String> = [
    "href", "src", "action", "background", "cite", "formaction", "poster", "srcset", "data",
  ]

  private mutating func check(_ name: String, _ attributes: [HTMLToken.Attribute], at: Int) {
    func has(_ attribute: String) -> Bool { attributes.contains { $0.name == attribute } }
    if name == "script" {
      issue("mail programs don't run <script>", "remove it", at: at)
    }
    if name == "img", !has("alt") {
      issue(
        "an image without alt", "describe it in alt=\"…\" for readers who have images turned off", at: at,
        severity: .warning)
    }
    if name == "html", !has("lang") {
      issue(
        "<html> without lang", "write <html lang=\"{{language}}\">", at: at, severity: .warning)
    }
    for attribute in attributes {
      guard let value = attribute.value, HTMLTemplate.urlAttributes.contains(attribute.name) else { continue }
      if string(value).lowercased().hasPrefix("javascript:") {
        issue("mail programs don't run scripts", "remove it", at: attribute.at)
      }
    }
  }

  private func number(of scalar: Unicode.Scalar) -> Int? {
    tagged.placeholder(scalar) == nil ? nil : Int(scalar.value - SourceText.placeholders.lowerBound)
  }

  private mutating func append(
    _ range: Range<Int>, as escaping: ValueEscaping, to literal: inout LiteralWriter
  ) {
    for index in range {
      let scalar = tagged.scalars[index]
      if let number = number(of: scalar) {
        flush(&literal)
        pieces.append(.placeholder(number, escaping))
      } else {
        literal.append(text: scalar)
      }
    }
  }

  private mutating func flush(_ literal: inout LiteralWriter) {
    if !literal.text.isEmpty { pieces.append(.literal(literal.take())) }
  }
}

/// Collects literal HTML and drops the white space that a browser would collapse.
private struct LiteralWriter {
  private(set) var text = ""
  var hasStyle = false
  private var lastIsBlank = true
  private var preDepth = 0

  mutating func append(_ markup: String) {
    text += markup
    if !markup.isEmpty { lastIsBlank = false }
  }

  mutating func append(text scalar: Unicode.Scalar) {
    let isBlank = HTMLTokenizer.isBlank(scalar)
    if preDepth == 0, isBlank, lastIsBlank { return }
    // A stray < could start an element together with the value after it.
    if scalar == "<" { text += "&lt;" } else { text.unicodeScalars.append(scalar) }
    lastIsBlank = isBlank
  }

  mutating func open(_ name: String) { if name == "pre" { preDepth += 1 } }

  mutating func close(_ name: String) { if name == "pre", preDepth > 0 { preDepth -= 1 } }

  mutating func take() -> String {
    defer { text = "" }
    // A value follows, and white space after it is significant.
    lastIsBlank = false
    return text
  }
}
