internal import PabalCore

/// An HTML file with its style rules copied beside its elements, ready to be filled in.
struct HTMLTemplate: Sendable {
  /// A stretch of the file.
  enum Piece: Sendable {
    case literal(String)
    /// A placeholder, by its number in `tagged`, and how its value is written there.
    case placeholder(Int, Encoding)
  }

  let tagged: TaggedText
  private(set) var pieces: [Piece] = []
  private(set) var styles = StyleSheet()
  private(set) var mistakes: [Diagnostic]
  /// Whether it is a whole page and not a part of one.
  private(set) var isPage = false

  init(_ source: SourceText) {
    tagged = TaggedText(source, format: .html)
    mistakes = tagged.mistakes

    var reader = HTMLReader(tagged.scalars)
    var tokens: [HTMLToken] = []
    while let token = reader.next() { tokens.append(token) }
    for (what, cure, at) in reader.mistakes { mistake(what, cure, at: at) }
    readStyles(tokens)
    var literal = LiteralWriter()
    for token in tokens { write(token, to: &literal) }
    flush(&literal)
  }

  /// Every name that is filled in, with where; what stands in a dropped comment is none.
  var names: [(name: String, position: SourcePosition)] {
    pieces.compactMap { piece in
      guard case .placeholder(let number, _) = piece else { return nil }
      return (tagged.placeholders[number].name, tagged.position(ofPlaceholder: number))
    }
  }

  /// Where every `{{content}}` stands that is filled in; one in a comment is not.
  var contents: [SourcePosition] {
    pieces.compactMap { piece in
      guard case .placeholder(let number, _) = piece, tagged.placeholders[number] == .tag("content") else {
        return nil
      }
      return tagged.position(ofPlaceholder: number)
    }
  }

  private mutating func mistake(
    _ what: String, _ cure: String?, at index: Int, severity: Diagnostic.Severity = .error
  ) {
    mistakes.append(
      Diagnostic(
        what, cure: cure, file: tagged.source.file, position: tagged.position(at: index), severity: severity))
  }

  private func string(_ range: Range<Int>) -> String {
    String(scalars: tagged.scalars[range])
  }

  private mutating func readStyles(_ tokens: [HTMLToken]) {
    var css = ""
    for case .raw(let range, of: "style") in tokens {
      css += string(range)
      refusePlaceholders(in: range, "a <style>")
      css += "\n"
    }
    styles = StyleSheet(css)
    if let what = styles.mistake {
      let place = tokens.lazy.compactMap { if case .raw(let range, of: "style") = $0 { range } else { nil } }
      mistake("the <style> holds \(what)", "mend its braces", at: place.first?.lowerBound ?? 0)
    }
  }

  private mutating func refusePlaceholders(in range: Range<Int>, _ place: String) {
    // Small letters may be longer than what was written.
    let range = range.clamped(to: 0..<tagged.scalars.count)
    for index in range where tagged.placeholder(tagged.scalars[index]) != nil {
      mistake("a variable in \(place)", "move it into the text or a quoted attribute", at: index)
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
      refusePlaceholders(in: at..<(at + name.unicodeScalars.count), "the name of an element")
      literal.append("</\(name)>")
      literal.close(name)
    case .raw(let range, of: let name):
      // All that was left of every <style> stands in the first.
      if name == "style" { break }
      refusePlaceholders(in: range, "a <\(name)>")
      literal.append(string(range))
    case .comment(let range):
      // What only Outlook reads is a comment to all others.
      guard string(range).hasPrefix("<!--[if ") else { break }
      refusePlaceholders(in: range, "a comment")
      literal.append(string(range))
    case .declaration(let range):
      isPage = true
      refusePlaceholders(in: range, "a declaration")
      literal.append(string(range))
    }
  }

  private mutating func open(
    _ name: String, _ attributes: [HTMLToken.Attribute], isClosed: Bool, at: Int,
    to literal: inout LiteralWriter
  ) {
    if name == "style" {
      if !styles.rest.isEmpty, !literal.hasStyle {
        literal.hasStyle = true
        literal.append("<style>\n\(styles.rest)</style>")
      }
      return
    }
    refusePlaceholders(in: at..<(at + 1 + name.unicodeScalars.count), "the name of an element")
    check(name, attributes, at: at)
    if name == "html" { isPage = true }
    literal.open(name)
    literal.append("<\(name)")
    var classes: [String] = []
    var own = ""
    for attribute in attributes {
      if attribute.name == "class", let value = attribute.value {
        classes = string(value).split(separator: " ").map(String.init)
      }
      if attribute.name == "style", let value = attribute.value {
        refusePlaceholders(in: value, "a style")
        own = string(value)
        continue
      }
      write(attribute, to: &literal)
    }
    literal.append(styles.attribute(element: name, classes: classes, own: own))
    literal.append(isClosed ? " />" : ">")
  }

  private mutating func write(_ attribute: HTMLToken.Attribute, to literal: inout LiteralWriter) {
    let end = attribute.at + attribute.name.unicodeScalars.count
    refusePlaceholders(in: attribute.at..<end, "the name of an attribute")
    literal.append(" \(attribute.name)")
    guard let value = attribute.value else { return }
    literal.append("=\"")
    if !attribute.isQuoted { refusePlaceholders(in: value, "an attribute without quotes") }
    if attribute.name.hasPrefix("on") { refusePlaceholders(in: value, "a script") }
    let isAddress = HTMLTemplate.addresses.contains(attribute.name)
    for index in value {
      let scalar = tagged.scalars[index]
      if let number = number(of: scalar) {
        flush(&literal)
        pieces.append(
          .placeholder(number, !isAddress ? .html : index == value.lowerBound ? .addressHTML : .addressPart))
      } else {
        literal.append(scalar == "\"" ? "&quot;" : String(scalar))
      }
    }
    literal.append("\"")
  }

  private static let addresses: Set<String> = [
    "href", "src", "action", "background", "cite", "formaction", "poster", "srcset", "data",
  ]

  private mutating func check(_ name: String, _ attributes: [HTMLToken.Attribute], at: Int) {
    func has(_ attribute: String) -> Bool { attributes.contains { $0.name == attribute } }
    if name == "script" {
      mistake("mail programs run no <script>", "take it out", at: at)
    }
    if name == "img", !has("alt") {
      mistake(
        "an image without alt", "say what it shows in alt=\"…\", for whom images are off", at: at,
        severity: .warning)
    }
    if name == "html", !has("lang") {
      mistake(
        "<html> without lang", "write <html lang=\"{{language}}\">", at: at, severity: .warning)
    }
    for attribute in attributes {
      guard let value = attribute.value, HTMLTemplate.addresses.contains(attribute.name) else { continue }
      if string(value).lowercased().hasPrefix("javascript:") {
        mistake("mail programs run no script", "take it out", at: attribute.at)
      }
    }
  }

  private func number(of scalar: Unicode.Scalar) -> Int? {
    tagged.placeholder(scalar) == nil ? nil : Int(scalar.value - SourceText.placeholders.lowerBound)
  }

  private mutating func append(_ range: Range<Int>, as encoding: Encoding, to literal: inout LiteralWriter) {
    for index in range {
      let scalar = tagged.scalars[index]
      if let number = number(of: scalar) {
        flush(&literal)
        pieces.append(.placeholder(number, encoding))
      } else {
        literal.append(text: scalar)
      }
    }
  }

  private mutating func flush(_ literal: inout LiteralWriter) {
    if !literal.text.isEmpty { pieces.append(.literal(literal.take())) }
  }
}

/// Gathers literal HTML and drops the blanks that a browser would not show.
private struct LiteralWriter {
  private(set) var text = ""
  var hasStyle = false
  private var lastIsBlank = true
  private var kept = 0

  mutating func append(_ markup: String) {
    text += markup
    if !markup.isEmpty { lastIsBlank = false }
  }

  mutating func append(text scalar: Unicode.Scalar) {
    let isBlank = HTMLReader.isBlank(scalar)
    if kept == 0, isBlank, lastIsBlank { return }
    // A < that begins no element would begin one before a value.
    if scalar == "<" { text += "&lt;" } else { text.unicodeScalars.append(scalar) }
    lastIsBlank = isBlank
  }

  mutating func open(_ name: String) { if name == "pre" { kept += 1 } }

  mutating func close(_ name: String) { if name == "pre", kept > 0 { kept -= 1 } }

  mutating func take() -> String {
    defer { text = "" }
    // What follows is a value, after which a blank counts.
    lastIsBlank = false
    return text
  }
}
