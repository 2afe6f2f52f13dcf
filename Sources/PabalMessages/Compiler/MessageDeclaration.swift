internal import PabalCore
internal import PabalFormats

/// What `message.json` says of a message.
struct MessageDeclaration: Sendable {
  /// One variable.
  struct Variable: Sendable {
    var name: String
    var purpose: String
    var kind: VariableKind
    var example: ValidValue
    var exampleSource: MessageValue
    var defaultValue: ValidValue?
    /// Whether the fallback is a value of the whole site.
    var isSiteWide = false
    /// Whether a time is shown with its date.
    var showsDate: Bool
    /// Where its name stands in message.json; `nil` for what the site alone gives.
    var position: SourcePosition?
  }

  var purpose = ""
  var lane = Lane.normal
  var lifetime: Duration?
  var unknownPolicy = UnknownPolicy.resend
  /// In the order written, what the site alone gives last.
  var variables: [Variable] = []
  private(set) var index: [String: Int] = [:]
  /// The names of variables that are declared, with mistakes that leave nothing of them to use.
  var invalidNames: Set<String> = []
  /// Whether it tells which variables there are.
  var isReadable = true

  /// Whether a variable is declared, rightly or not.
  func declares(_ name: String) -> Bool { index[name] != nil || invalidNames.contains(name) }

  /// All names that are declared, rightly or not.
  var names: [String] { variables.map(\.name) + invalidNames.sorted() }

  mutating func append(_ variable: Variable) {
    index[variable.name] = variables.count
    variables.append(variable)
  }

  mutating func setSiteValue(_ value: ValidValue, ofVariable number: Int) {
    variables[number].defaultValue = value
    variables[number].isSiteWide = true
  }
}

/// Reads `message.json` and gathers everything that is wrong with it.
struct MessageDeclarationReader {
  private let file: String
  private(set) var declaration = MessageDeclaration()
  private(set) var issues: [Diagnostic] = []

  /// Names a layout knows already.
  static let slots = ["content", "subject", "preview", "language"]

  init(_ bytes: [UInt8], file: String) {
    self.file = file
    do throws(Diagnostic) {
      read(try JSONParser.read(bytes, file: file))
    } catch {
      issues = [error]
      declaration.isReadable = false
    }
  }

  private mutating func issue(
    _ message: String, _ remedy: String?, at position: SourcePosition, path: String? = nil
  ) {
    issues.append(Diagnostic(message, remedy: remedy, file: file, position: position, path: path))
  }

  private mutating func read(_ root: JSONValue) {
    guard let members = object(root, path: nil) else {
      declaration.isReadable = false
      return
    }
    let keys = ["for", "lane", "lifetime", "unknown", "variables", "$schema"]
    let (known, suggested) = known(members, among: keys, path: nil)
    if suggested.contains("variables") { declaration.isReadable = false }
    for member in known {
      let (node, path) = (member.value, member.key)
      switch member.key {
      case "for": declaration.purpose = string(node, path: path) ?? ""
      case "lane": declaration.lane = choice(node, path: path) ?? .normal
      case "unknown": declaration.unknownPolicy = choice(node, path: path) ?? .resend
      case "lifetime": declaration.lifetime = lifetime(node, path: path)
      case "variables":
        guard let variables = object(node, path: path) else {
          declaration.isReadable = false
          break
        }
        for variable in unique(variables, path: path) {
          read(variable, path: "variables.\(variable.key.displayName)")
          if declaration.index[variable.key] == nil { declaration.invalidNames.insert(variable.key) }
        }
      default: _ = string(node, path: path)
      }
    }
  }

  private mutating func read(_ member: JSONValue.Member, path: String) {
    let name = member.key
    if TaggedText.name(Array(name.unicodeScalars)) == nil {
      issue(
        "not the name of a variable", "use small letters, digits and _, a letter first, 64 at most",
        at: member.keyPosition, path: path)
      // Where it is used, it is most likely written as it must be.
      declaration.invalidNames.insert(String(name.lowercased().map { $0 == "-" || $0 == " " ? "_" : $0 }))
    } else if MessageDeclarationReader.slots.contains(name) {
      issue(
        "{{\(name)}} is a place in layout.html", "give the variable another name", at: member.keyPosition,
        path: path)
    }
    guard let members = object(member.value, path: path) else { return }
    var purpose: String?
    var kind: VariableKind?
    var written: [String: (text: String, position: SourcePosition)] = [:]
    var showsDate: (isOn: Bool, position: SourcePosition)?
    let keys = ["for", "kind", "example", "default", "reading", "date"]
    var isWhole = true
    let (known, suggested) = known(members, among: keys, path: path)
    for key in known {
      let keyPath = "\(path).\(key.key)"
      switch key.key {
      case "for": purpose = string(key.value, path: keyPath)
      case "kind":
        kind = choice(key.value, path: keyPath)
        isWhole = isWhole && kind != nil
      case "date":
        if case .boolean(let isOn) = key.value.content {
          showsDate = (isOn, key.keyPosition)
        } else {
          issue("\(key.value.kind) where true or false belongs", nil, at: key.value.position, path: keyPath)
        }
      default:
        guard let text = string(key.value, path: keyPath) else {
          isWhole = false
          break
        }
        written[key.key] = (text, key.value.position)
      }
    }
    let missing = [("for", purpose == nil), ("kind", kind == nil), ("example", written["example"] == nil)]
    for (key, isMissing) in missing where isMissing && !members.contains(where: { $0.key == key }) {
      isWhole = false
      // Under a misspelt key it is there.
      guard !suggested.contains(key) else { continue }
      issue(
        "\"\(key)\" is missing", MessageDeclarationReader.remedies[key], at: member.keyPosition, path: path)
    }
    guard isWhole, let kind, let example = written["example"] else { return }
    if let showsDate, kind != .time {
      issue("\"date\" is for a time", "take it out", at: showsDate.position, path: "\(path).date")
    }
    if let reading = written["reading"], kind != .text {
      issue("\"reading\" is for a text", "take it out", at: reading.position, path: "\(path).reading")
      return
    }
    let reading = written["reading"]?.text
    guard let validExample = validate(example, reading: reading, kind: kind, path: "\(path).example") else {
      return
    }
    var variable = MessageDeclaration.Variable(
      name: name, purpose: purpose ?? "", kind: kind, example: validExample,
      exampleSource: .text(example.text, reading: reading), showsDate: showsDate?.isOn ?? false,
      position: member.keyPosition)
    if let defaultValue = written["default"] {
      variable.defaultValue = validate(defaultValue, reading: reading, kind: kind, path: "\(path).default")
    }
    declaration.append(variable)
  }

  private static let remedies = [
    "for": "add \"for\": \"…\" and say what the variable is for",
    "kind": "add \"kind\": with one of "
      + VariableKind.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", "),
    "example": "add \"example\": \"…\", a value to show in previews",
  ]

  private mutating func validate(
    _ written: (text: String, position: SourcePosition), reading: String?, kind: VariableKind, path: String
  ) -> ValidValue? {
    do throws(InvalidValueError) {
      return try kind.validate(.text(written.text, reading: reading))
    } catch {
      issue(error.message, error.remedy, at: written.position, path: path)
      return nil
    }
  }

  private mutating func lifetime(_ node: JSONValue, path: String) -> Duration? {
    guard let text = string(node, path: path) else { return nil }
    guard let seconds = VariableKind.seconds(text), (1...31_536_000).contains(seconds) else {
      issue("not a lifetime", "write 90s, 10m, 2h or 3d, a year at most", at: node.position, path: path)
      return nil
    }
    return .seconds(seconds)
  }

  private mutating func object(_ node: JSONValue, path: String?) -> [JSONValue.Member]? {
    if case .object(let members) = node.content { return members }
    issue("\(node.kind) where an object belongs", "write { … }", at: node.position, path: path)
    return nil
  }

  private mutating func string(_ node: JSONValue, path: String) -> String? {
    if case .string(let text) = node.content { return text }
    issue("\(node.kind) where a string belongs", "write \"…\"", at: node.position, path: path)
    return nil
  }

  private mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ node: JSONValue, path: String
  ) -> Choice? {
    guard let text = string(node, path: path) else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    let words = Choice.allCases.map(\.rawValue)
    let all = words.map { "\"\($0)\"" }.joined(separator: ", ")
    issue(
      "\"\(text.displayName)\" is none of \(all)",
      nearest(to: text, among: words).map { "did you mean \"\($0)\"?" } ?? "choose one of them",
      at: node.position, path: path)
    return nil
  }

  /// The members whose keys are known, each once, and the keys that the others most likely mean.
  private mutating func known(
    _ members: [JSONValue.Member], among keys: [String], path: String?
  ) -> (members: [JSONValue.Member], suggested: Set<String>) {
    var suggested: Set<String> = []
    let known = unique(members, path: path).filter { member in
      if keys.contains(member.key) { return true }
      let near = nearest(to: member.key, among: keys)
      if let near { suggested.insert(near) }
      issue(
        "there is no \"\(member.key.displayName)\"",
        near.map { "did you mean \"\($0)\"?" }
          ?? "the keys are " + keys.filter { $0 != "$schema" }.joined(separator: ", "),
        at: member.keyPosition, path: path)
      return false
    }
    return (known, suggested)
  }

  private mutating func unique(_ members: [JSONValue.Member], path: String?) -> [JSONValue.Member] {
    var seen: Set<String> = []
    return members.filter { member in
      if seen.insert(member.key).inserted { return true }
      issue(
        "\"\(member.key.displayName)\" stands twice", "keep one of them", at: member.keyPosition, path: path)
      return false
    }
  }
}

extension MessageDeclarationReader {
  /// The names a message declares, rightly or not; `nil` when its message.json can't be read.
  static func variableNames(_ files: MessageFiles) -> [String]? {
    guard let bytes = files.declaration else { return nil }
    let declaration = MessageDeclarationReader(bytes, file: "").declaration
    return declaration.isReadable ? declaration.names : nil
  }
}
