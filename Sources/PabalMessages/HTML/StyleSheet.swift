/// The rules of a `<style>`, to be copied into the `style` attributes of the elements they match.
///
/// Mail programs differ in their support of `<style>`, but all support `style` attributes. Rules are copied if their
/// selectors are an element (`p`), a class (`.code`) or both (`p.code`), alone or in a comma-separated list.
/// Everything else stays in the `<style>`, in particular media queries.
struct StyleSheet: Sendable {
  /// A selector and its declarations.
  struct Rule: Sendable {
    var element: String?
    var className: String?
    var declarations: [PropertyValue]

    fileprivate var specificity: Int { (className == nil ? 0 : 10) + (element == nil ? 0 : 1) }
  }

  /// A property and its value.
  struct PropertyValue: Sendable, Hashable {
    var property: String
    var value: String
  }

  /// The rules to copy, by specificity and then by order.
  private(set) var rules: [Rule] = []
  /// The CSS that stays in the `<style>`.
  private(set) var remainingCSS = ""
  /// The syntax error, if any.
  private(set) var issue: String?

  init(_ css: String = "") {
    var reader = StyleSheetParser(css)
    // Specificities: 1 for an element, 10 for a class, 11 for both.
    var bySpecificity: [Int: [Rule]] = [:]
    while let part = reader.next() {
      switch part {
      case .rule(let selectors, let body):
        let declarations = StyleSheet.declarations(body)
        var retained: [String] = []
        for selector in selectors {
          if let rule = StyleSheet.rule(selector, declarations) {
            bySpecificity[rule.specificity, default: []].append(rule)
          } else {
            retained.append(String(decoding: selector, as: UTF8.self))
          }
        }
        if !retained.isEmpty {
          remainingCSS += "\(retained.joined(separator: ",")){\(StyleSheet.written(declarations))}\n"
        }
      case .retained(let text):
        remainingCSS += text + "\n"
      }
    }
    rules = bySpecificity.sorted { $0.key < $1.key }.flatMap(\.value)
    issue = reader.issue
  }

  /// Returns ` style="…"` for an element, or an empty string if nothing applies. `inlineStyle` takes precedence, as in
  /// a browser.
  func attribute(element: String, classes: [String] = [], inlineStyle: String = "") -> String {
    var merged: [PropertyValue] = []
    func merge(_ declarations: [PropertyValue]) {
      for declaration in declarations {
        // The last declaration wins and is moved to the end, so that `margin` and `margin-top` keep their order.
        if let old = merged.firstIndex(where: { $0.property == declaration.property }) {
          merged.remove(at: old)
        }
        merged.append(declaration)
      }
    }
    for rule in rules {
      guard rule.element == nil || rule.element == element else { continue }
      if let name = rule.className, !classes.contains(name) { continue }
      merge(rule.declarations)
    }
    if !inlineStyle.isEmpty { merge(StyleSheet.declarations(Array(inlineStyle.utf8)[...])) }
    guard !merged.isEmpty else { return "" }
    let written = StyleSheet.written(merged)
    guard written.utf8.contains(UInt8(ascii: "\"")) else { return " style=\"\(written)\"" }
    let single = written.utf8.map { $0 == UInt8(ascii: "\"") ? UInt8(ascii: "'") : $0 }
    return " style=\"\(String(decoding: single, as: UTF8.self))\""
  }

  private static func written(_ declarations: [PropertyValue]) -> String {
    var written = ""
    for declaration in declarations {
      if !written.isEmpty { written += ";" }
      written += declaration.property
      written += ":"
      written += declaration.value
    }
    return written
  }

  /// Returns a rule if the selector is just an element, a class or both.
  private static func rule(_ selector: StyleSheetParser.Bytes, _ declarations: [PropertyValue]) -> Rule? {
    func name(_ bytes: StyleSheetParser.Bytes) -> String? {
      guard
        !bytes.isEmpty,
        bytes.allSatisfy({
          (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
            || $0 == UInt8(ascii: "_")
        })
      else { return nil }
      return String(decoding: bytes, as: UTF8.self)
    }
    let dot = selector.firstIndex(of: UInt8(ascii: ".")) ?? selector.endIndex
    let element = name(selector[..<dot])?.lowercased()
    guard element != nil || dot == selector.startIndex else { return nil }
    guard dot < selector.endIndex else {
      return element.map { Rule(element: $0, className: nil, declarations: declarations) }
    }
    return name(selector[(dot + 1)...]).map {
      Rule(element: element, className: $0, declarations: declarations)
    }
  }

  /// Parses the declarations of a rule.
  private static func declarations(_ body: StyleSheetParser.Bytes) -> [PropertyValue] {
    StyleSheetParser.split(body, at: UInt8(ascii: ";")).compactMap { part in
      guard let colon = part.firstIndex(of: UInt8(ascii: ":")) else { return nil }
      let property = StyleSheetParser.trimmed(part[..<colon])
      let value = StyleSheetParser.collapsed(part[(colon + 1)...])
      guard !property.isEmpty, !value.isEmpty else { return nil }
      return PropertyValue(
        property: String(decoding: property, as: UTF8.self).lowercased(),
        value: String(decoding: value, as: UTF8.self))
    }
  }
}

/// Splits a style sheet into rules and at-rules. Works on bytes because all syntax is ASCII.
struct StyleSheetParser {
  /// A slice of UTF-8.
  typealias Bytes = ArraySlice<UInt8>

  /// An item of a style sheet.
  enum Item {
    case rule(selectors: [Bytes], body: Bytes)
    /// An at-rule, kept as written.
    case retained(String)
  }

  private let text: [UInt8]
  private var index = 0
  private(set) var issue: String?

  init(_ css: String) { text = StyleSheetParser.withoutComments(Array(css.utf8)) }

  mutating func next() -> Item? {
    while index < text.count, StyleSheetParser.isBlank(text[index]) { index += 1 }
    guard index < text.count, issue == nil else { return nil }
    let start = index
    let isAtRule = text[index] == UInt8(ascii: "@")
    guard let end = skip(until: UInt8(ascii: "{"), or: isAtRule ? UInt8(ascii: ";") : UInt8(ascii: "{"))
    else {
      issue = "a rule without { … }"
      return nil
    }
    index = end + 1
    if text[end] == UInt8(ascii: ";") {
      return .retained(String(decoding: StyleSheetParser.collapsed(text[start...end]), as: UTF8.self))
    }
    guard let close = skipBlock() else {
      issue = "a { that is never closed"
      return nil
    }
    if isAtRule {
      return .retained(String(decoding: StyleSheetParser.collapsed(text[start..<index]), as: UTF8.self))
    }
    return .rule(
      selectors: StyleSheetParser.split(text[start..<end], at: UInt8(ascii: ",")),
      body: text[(end + 1)..<close])
  }

  /// Returns the index of the next of two bytes outside quotes.
  private func skip(until one: UInt8, or other: UInt8) -> Int? {
    var quote: UInt8?
    for position in index..<text.count {
      let byte = text[position]
      if let open = quote {
        if byte == open { quote = nil }
      } else if StyleSheetParser.isQuote(byte) {
        quote = byte
      } else if byte == one || byte == other {
        return position
      }
    }
    return nil
  }

  /// Moves past the `}` that closes the current block and returns its index.
  private mutating func skipBlock() -> Int? {
    var depth = 1
    while let position = skip(until: UInt8(ascii: "{"), or: UInt8(ascii: "}")) {
      index = position + 1
      depth += text[position] == UInt8(ascii: "{") ? 1 : -1
      if depth == 0 { return position }
    }
    return nil
  }

  private static func withoutComments(_ text: [UInt8]) -> [UInt8] {
    let (slash, star) = (UInt8(ascii: "/"), UInt8(ascii: "*"))
    var retained: [UInt8] = []
    retained.reserveCapacity(text.count)
    var index = 0
    while index < text.count {
      if text[index] == slash, index + 1 < text.count, text[index + 1] == star {
        index += 3
        while index < text.count, !(text[index] == slash && text[index - 1] == star) { index += 1 }
      } else {
        retained.append(text[index])
      }
      index += 1
    }
    return retained
  }

  /// Splits at separators outside quotes and parentheses; trims each part.
  static func split(_ text: Bytes, at separator: UInt8) -> [Bytes] {
    var parts: [Bytes] = []
    var start = text.startIndex
    var quote: UInt8?
    var depth = 0
    for index in text.indices {
      let byte = text[index]
      if let open = quote {
        if byte == open { quote = nil }
      } else if isQuote(byte) {
        quote = byte
      } else if byte == UInt8(ascii: "(") {
        depth += 1
      } else if byte == UInt8(ascii: ")") {
        depth -= 1
      } else if byte == separator, depth <= 0 {
        parts.append(trimmed(text[start..<index]))
        start = index + 1
      }
    }
    parts.append(trimmed(text[start...]))
    return parts
  }

  /// Returns the text without surrounding white space.
  static func trimmed(_ text: Bytes) -> Bytes {
    var text = text
    while let first = text.first, isBlank(first) { text = text.dropFirst() }
    while let last = text.last, isBlank(last) { text = text.dropLast() }
    return text
  }

  /// Returns the text trimmed, with runs of white space collapsed, and without spaces around braces and after semicolons.
  static func collapsed(_ text: Bytes) -> [UInt8] {
    var collapsed: [UInt8] = []
    collapsed.reserveCapacity(text.count)
    let (space, open, close) = (UInt8(ascii: " "), UInt8(ascii: "{"), UInt8(ascii: "}"))
    for byte in trimmed(text) {
      if isBlank(byte) {
        if let last = collapsed.last, last != space, last != open, last != close, last != UInt8(ascii: ";") {
          collapsed.append(space)
        }
        continue
      }
      if byte == open || byte == close {
        if collapsed.last == space { collapsed.removeLast() }
        if byte == close, collapsed.last == UInt8(ascii: ";") { collapsed.removeLast() }
      }
      collapsed.append(byte)
    }
    return collapsed
  }

  static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private static func isQuote(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'")
  }
}
