/// A token of an HTML file.
enum HTMLToken: Sendable {
  case text(Range<Int>)
  case open(name: String, attributes: [Attribute], isClosed: Bool, at: Int)
  case close(name: String, at: Int)
  /// The content of a `<style>` or another element that doesn't contain markup.
  case raw(Range<Int>, of: String)
  case comment(Range<Int>)
  /// `<!doctype html>`.
  case declaration(Range<Int>)

  /// An attribute; its name is in lower case.
  struct Attribute: Sendable {
    var name: String
    /// The range of the value without quotes; `nil` for an attribute without a value.
    var value: Range<Int>?
    var isQuoted: Bool
    var at: Int
  }
}

/// Splits an HTML file into tokens.
struct HTMLTokenizer {
  let text: [Unicode.Scalar]
  private var index = 0
  private var rawElement: String?
  /// The syntax errors found so far.
  private(set) var issues: [(message: String, remedy: String, at: Int)] = []

  init(_ text: [Unicode.Scalar]) { self.text = text }

  mutating func next() -> HTMLToken? {
    guard index < text.count else { return nil }
    let start = index
    if let element = rawElement {
      rawElement = nil
      index = endOfRaw(element)
      if index > start { return .raw(start..<index, of: element) }
    }
    if text[index] == "<", index + 1 < text.count {
      if matches("<!--") { return comment() }
      if text[index + 1] == "!" || text[index + 1] == "?" {
        index = text[index...].firstIndex(of: ">").map { $0 + 1 } ?? text.count
        return .declaration(start..<index)
      }
      if text[index + 1] == "/", index + 2 < text.count, HTMLTokenizer.isLetter(text[index + 2]) {
        index += 2
        let name = self.name()
        index = text[index...].firstIndex(of: ">").map { $0 + 1 } ?? text.count
        return .close(name: name, at: start + 2)
      }
      if HTMLTokenizer.isLetter(text[index + 1]) { return open() }
    }
    index += 1
    while index < text.count, text[index] != "<" { index += 1 }
    return .text(start..<index)
  }

  private func matches(_ word: StaticString) -> Bool {
    let word = word.description.unicodeScalars
    return text[index...].starts(with: word)
  }

  private mutating func comment() -> HTMLToken {
    let start = index
    index += 4
    while index < text.count, !matches("-->") { index += 1 }
    if index == text.count {
      issues.append(("a comment is never closed", "end it with -->", start))
      return .comment(start..<index)
    }
    index += 3
    return .comment(start..<index)
  }

  private mutating func open() -> HTMLToken {
    let start = index
    index += 1
    let name = self.name()
    var attributes: [HTMLToken.Attribute] = []
    var isClosed = false
    while true {
      skipBlanks()
      guard index < text.count else {
        issues.append(("<\(name) is never closed", "close it with >", start))
        break
      }
      if text[index] == ">" {
        index += 1
        break
      }
      if text[index] == "/" {
        isClosed = index + 1 < text.count && text[index + 1] == ">"
        index += 1
        continue
      }
      attributes.append(attribute())
    }
    if HTMLTokenizer.rawElements.contains(name), !isClosed { rawElement = name }
    return .open(name: name, attributes: attributes, isClosed: isClosed, at: start)
  }

  private static let rawElements: Set<String> = ["style", "script", "textarea", "xmp"]

  private mutating func attribute() -> HTMLToken.Attribute {
    let start = index
    // Consume at least one character, so that a stray = or quote can't cause an endless loop.
    index += 1
    while index < text.count, !HTMLTokenizer.isBlank(text[index]), !"=>/".unicodeScalars.contains(text[index])
    {
      index += 1
    }
    var attribute = HTMLToken.Attribute(
      name: HTMLTokenizer.lowercased(text[start..<index]), value: nil, isQuoted: false, at: start)
    skipBlanks()
    guard index < text.count, text[index] == "=" else { return attribute }
    index += 1
    skipBlanks()
    guard index < text.count else { return attribute }
    let first = text[index]
    if first == "\"" || first == "'" {
      let value = index + 1
      attribute.isQuoted = true
      guard let end = text[value...].firstIndex(of: first) else {
        issues.append(("a quotation mark is never closed", "add the closing one", index))
        index = text.count
        attribute.value = value..<text.count
        return attribute
      }
      index = end + 1
      attribute.value = value..<end
    } else {
      let value = index
      while index < text.count, !HTMLTokenizer.isBlank(text[index]), text[index] != ">" { index += 1 }
      attribute.value = value..<index
    }
    return attribute
  }

  private mutating func name() -> String {
    let start = index
    while index < text.count, !HTMLTokenizer.isBlank(text[index]), text[index] != ">", text[index] != "/" {
      index += 1
    }
    return HTMLTokenizer.lowercased(text[start..<index])
  }

  /// Returns the index of the closing `</element`.
  private mutating func endOfRaw(_ element: String) -> Int {
    let wanted = Array(element.unicodeScalars)
    var position = index
    while position + 2 + wanted.count <= text.count {
      if text[position] == "<", text[position + 1] == "/",
        HTMLTokenizer.lowercased(text[(position + 2)..<(position + 2 + wanted.count)]) == element
      {
        return position
      }
      position += 1
    }
    issues.append(("<\(element)> is never closed", "add </\(element)>", index))
    return text.count
  }

  private mutating func skipBlanks() {
    while index < text.count, HTMLTokenizer.isBlank(text[index]) { index += 1 }
  }

  static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
    scalar == " " || scalar == "\n" || scalar == "\t"
  }

  private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
    ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
  }

  private static func lowercased(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    String(scalars: scalars).lowercased()
  }
}
