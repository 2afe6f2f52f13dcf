internal import PabalCore
internal import PabalFormats

/// The contents of a `message.json`: how a message is sent, and its variables.
struct MessageDeclaration: Sendable {
  /// A declared variable.
  struct Variable: Sendable {
    var name: String
    var purpose: MessagePurpose
    var kind: VariableKind
    var example: ValidValue
    var exampleSource: MessageValue
    var defaultValue: ValidValue?
    /// Whether the default is a value of the whole site.
    var isSiteWide = false
    /// Whether a time is formatted with its date.
    var showsDate: Bool
    /// The position of its name in message.json; `nil` if it is only a variable of the site.
    var position: SourcePosition?
  }

  var purpose = MessagePurpose("")
  var lane = Lane.normal
  var lifetime: Duration?
  var unknownPolicy = UnknownPolicy.resend
  /// In the order written, followed by those that are only variables of the site.
  var variables: [Variable] = []
  private(set) var index: [String: Int] = [:]
  /// The names of declared variables that can't be used because of mistakes in their declarations.
  var invalidNames: Set<String> = []
  /// Whether the names of the variables are known.
  var isReadable = true

  /// Whether a variable is declared, validly or not.
  func declares(_ name: String) -> Bool { index[name] != nil || invalidNames.contains(name) }

  /// The declared names that a tag can have, of valid and invalid variables. Others, which may contain control characters,
  /// must not be suggested.
  var names: [String] { (variables.map(\.name) + invalidNames.sorted()).filter(Self.isTag) }

  /// Whether a tag can have this name.
  static func isTag(_ name: String) -> Bool { TaggedText.name(Array(name.unicodeScalars)) != nil }

  mutating func append(_ variable: Variable) {
    index[variable.name] = variables.count
    variables.append(variable)
  }

  mutating func setSiteValue(_ value: ValidValue, ofVariable number: Int) {
    variables[number].defaultValue = value
    variables[number].isSiteWide = true
  }
}

/// Reads `message.json` and collects every mistake in it.
struct MessageDeclarationReader {
  let declaration: MessageDeclaration
  /// The mistakes in the order of the file.
  let diagnostics: [Diagnostic]

  /// The names of the placeholders that belong to layouts.
  static let slots = ["content", "subject", "preview", "language"]

  init(_ bytes: [UInt8], file: String) {
    let collector = DiagnosticCollector(subject: .file(file))
    declaration = collector.decode(bytes) { MessageDeclaration($0) } ?? .unreadable
    diagnostics = collector.sortedByPosition
  }

  /// The names that a message declares, of valid and invalid variables; `nil` if its message.json can't be read.
  static func variableNames(_ files: MessageFiles) -> [String]? {
    guard let bytes = files.declaration else { return nil }
    let declaration = MessageDeclarationReader(bytes, file: "").declaration
    return declaration.isReadable ? declaration.names : nil
  }
}

extension MessageDeclaration {
  fileprivate static var unreadable: MessageDeclaration {
    var declaration = MessageDeclaration()
    declaration.isReadable = false
    return declaration
  }

  fileprivate init(_ object: ObjectDecoder) {
    self.init()
    _ = object.optional("$schema")?.string()
    purpose = object.optional("for")?.purpose() ?? MessagePurpose("")
    lane = object.optional("lane")?.choice() ?? .normal
    lifetime = object.optional("lifetime")?.lifetime()
    unknownPolicy = object.optional("unknown")?.choice() ?? .resend
    if let variables = object.optional("variables") {
      isReadable = variables.object { readVariables($0) } != nil
    } else {
      isReadable = !object.hasMisspelling(of: "variables")
    }
  }

  private mutating func readVariables(_ object: ObjectDecoder) {
    for member in object.remaining(except: []) {
      let name = member.key
      if !Self.isTag(name) {
        object.report(
          "not the name of a variable", remedy: "use small letters, digits and _, a letter first, 64 at most",
          atKeyOf: member)
        // The texts most likely use the valid form of the name.
        invalidNames.insert(String(name.lowercased().map { $0 == "-" || $0 == " " ? "_" : $0 }))
      } else if MessageDeclarationReader.slots.contains(name) {
        object.report(
          "{{\(name)}} is a placeholder of layout.html", remedy: "give the variable another name",
          atKeyOf: member)
      }
      let variable = object.value(of: member).object { Variable(name, at: member.keyPosition, $0) }
      if let variable { append(variable) } else { invalidNames.insert(name) }
    }
  }
}

extension MessageDeclaration.Variable {
  /// Decodes a variable; returns `nil` after an error that makes it unusable.
  fileprivate init?(_ name: String, at position: SourcePosition, _ object: ObjectDecoder) {
    let kinds = VariableKind.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
    let purposeField = object.required("for", remedy: "add \"for\": \"…\" and say what the variable is for")
    let purpose = purposeField?.purpose() ?? MessagePurpose("")
    let kind: VariableKind? = object.required("kind", remedy: "add \"kind\" with one of \(kinds)")?.choice()
    let example = object.required("example", remedy: "add \"example\": \"…\", a value to show in previews")
    let exampleText = example?.string()
    let defaultField = object.optional("default")
    let defaultText = defaultField?.string()
    let readingField = object.optional("reading")
    let reading = readingField?.string()
    let dateField = object.optional("date")
    let showsDate = dateField?.boolean()

    guard purposeField != nil, let kind, let example, let exampleText else { return nil }
    guard (defaultField == nil) == (defaultText == nil), (readingField == nil) == (reading == nil) else {
      return nil
    }
    if kind != .time, showsDate != nil {
      dateField?.report("only a variable of kind \"time\" has a \"date\"", remedy: "remove it")
    }
    if kind != .text, let readingField {
      readingField.report("only a variable of kind \"text\" has a \"reading\"", remedy: "remove it")
      return nil
    }
    guard let validExample = example.variableValue(exampleText, reading: reading, kind: kind) else {
      return nil
    }
    self.init(
      name: name, purpose: purpose, kind: kind, example: validExample,
      exampleSource: .text(exampleText, reading: reading),
      defaultValue: defaultText.flatMap { defaultField?.variableValue($0, reading: reading, kind: kind) },
      showsDate: showsDate ?? false, position: position)
  }
}

extension FieldDecoder {
  /// A text, or an object with a text for each language.
  fileprivate func purpose() -> MessagePurpose? {
    guard case .object = node.content else { return string().map { MessagePurpose($0.composed) } }
    return object { object in
      var purpose = MessagePurpose("")
      for member in object.remaining(except: []) {
        guard LanguageTag.isWellFormed(member.key) else {
          object.report("not a language tag", remedy: "use one such as ko or en", atKeyOf: member)
          continue
        }
        purpose.texts[member.key.lowercased()] = object.value(of: member).string()?.composed
      }
      return purpose
    }
  }

  /// A duration such as `90s`, `10m`, `2h` or `3d`, of at most a year.
  fileprivate func lifetime() -> Duration? {
    if reportsNumber(as: "a lifetime", in: .seconds(1)...(.seconds(31_536_000))) { return nil }
    guard let text = string() else { return nil }
    guard let seconds = VariableKind.seconds(text), (1...31_536_000).contains(seconds) else {
      let meant = Duration.meant(by: text).map(\.configurationText).flatMap { form in
        VariableKind.seconds(form).flatMap { (1...31_536_000).contains($0) ? form : nil }
      }
      report(
        "not a lifetime",
        remedy: meant.map { "write \"\($0)\"" } ?? "write it like 90s, 10m, 2h or 3d, at most a year")
      return nil
    }
    return .seconds(seconds)
  }

  /// Returns `text`, which is this value, as a value of `kind`; reports an invalid one and returns `nil`.
  fileprivate func variableValue(_ text: String, reading: String?, kind: VariableKind) -> ValidValue? {
    do throws(InvalidValueError) {
      return try kind.validate(.text(text, reading: reading))
    } catch {
      report(error.message, remedy: error.remedy)
      return nil
    }
  }
}
