/// Text in the syntax of variables of shells, Compose files and Windows. Pabal expands none, so it reports them instead of
/// taking them for a password, an address or the name of a directory.
enum Placeholder: Equatable {
  /// All of the text stands for one variable: `$NAME`, `${NAME}`, `${NAME:-default}` or `%NAME%`.
  case variable(String)
  /// All of the text stands for a command's output: `$(command)`.
  case command
  /// A part of the text stands for a variable: `${NAME}`.
  case part

  /// Finds a placeholder in a text. In a password, where `$` is an ordinary character, only what is hardly anything
  /// else counts: `${NAME}`, `$(command)`, `%NAME%`, and `$NAME` in capitals with at least four letters.
  init?(_ text: String, isSecret: Bool = false) {
    guard text.utf8.contains(where: { $0 == UInt8(ascii: "$") || $0 == UInt8(ascii: "%") }) else {
      return nil
    }
    if text.hasPrefix("${"), text.hasSuffix("}"), let name = Self.name(text.dropFirst(2).dropLast()) {
      self = .variable(name)
    } else if text.hasPrefix("$("), text.hasSuffix(")") {
      self = .command
    } else if text.hasPrefix("$"), Self.isName(text.dropFirst()),
      !isSecret || Self.isCapital(text.dropFirst())
    {
      self = .variable(String(text.dropFirst()))
    } else if text.utf8.count > 3, text.hasPrefix("%"), text.hasSuffix("%"),
      Self.isName(text.dropFirst().dropLast()), !isSecret || Self.isCapital(text.dropFirst().dropLast())
    {
      self = .variable(String(text.dropFirst().dropLast()))
    } else if !isSecret, Self.hasPart(text) {
      self = .part
    } else {
      return nil
    }
  }

  /// Returns the first directory of a path that is a placeholder or begins with one: `$HOME`, `${HOME}`, `%APPDATA%`, or `~kim`.
  static func directory(in path: String) -> String? {
    let directories = path.split(separator: "/", omittingEmptySubsequences: true)
    if let first = directories.first, first.hasPrefix("~"), path.hasPrefix("~"),
      first.dropFirst().utf8.allSatisfy(isNameByte) || first == "~"
    {
      return String(first)
    }
    return directories.first { Placeholder(String($0)) != nil }.map(String.init)
  }

  /// The name before a modifier such as `:-default`, if there is one.
  private static func name(_ text: Substring) -> String? {
    let name = text.prefix { $0.utf8.allSatisfy(isNameByte) }
    let rest = text.dropFirst(name.count)
    guard isName(name), rest.isEmpty || ":-?+=".contains(rest.first ?? " "), !rest.contains("}") else {
      return nil
    }
    return String(name)
  }

  private static func hasPart(_ text: String) -> Bool {
    var rest = text[...]
    while let start = rest.firstRange(of: "${") {
      rest = rest[start.upperBound...]
      if let end = rest.firstIndex(of: "}"), name(rest[..<end]) != nil { return true }
    }
    return false
  }

  private static func isName(_ text: Substring) -> Bool {
    guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
      return false
    }
    return text.utf8.allSatisfy(isNameByte)
  }

  private static func isCapital(_ text: Substring) -> Bool {
    let letters = text.utf8.count { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }
    return letters >= 4 && !text.utf8.contains { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// What is wrong, without the text, which may be a password after all.
  var message: String {
    switch self {
    case .variable: "a variable, which isn't expanded here"
    case .command: "a command, which isn't run here"
    case .part: "holds a variable, which isn't expanded here"
    }
  }

  /// What to do. `acceptsSource` tells whether the setting can be an object that names the source of its text.
  func remedy(acceptsSource: Bool, isSecret: Bool = false) -> String {
    guard acceptsSource else { return "write the text itself" }
    switch self {
    case .variable(let name):
      let literal = isSecret ? "; a password that really looks like this can be read with {\"file\": …}" : ""
      return "write {\"env\": \(jsonLiteral(name))}\(literal)"
    case .command: return "write {\"command\": [\"program\", \"argument\"]}"
    case .part: return "write the whole text, or {\"env\": \"NAME\"} with a variable that holds all of it"
    }
  }
}
