public import PabalFormats

/// A JSON value that is being decoded into a Swift type.
///
/// Each method returns the value in the form asked for, or adds one error to the collector and returns `nil`.
/// Decoding goes on after an error, so that one run shows every mistake.
public struct FieldDecoder {
  /// The JSON value.
  public let node: JSONValue
  /// The path of its key, such as `transports.smtp.port`; empty for the root.
  public let path: String
  /// Where errors go.
  public let collector: DiagnosticCollector

  /// Creates a decoder of the value `node` at `path`.
  public init(_ node: JSONValue, path: String, collector: DiagnosticCollector) {
    self.node = node
    self.path = path
    self.collector = collector
  }

  /// Parses `bytes` as the text of `collector.subject`; throws a syntax error.
  init(parsing bytes: [UInt8], collector: DiagnosticCollector) throws(Diagnostic) {
    self.init(try JSONParser.read(bytes, subject: collector.subject), path: "", collector: collector)
  }

  /// The file, position and path of the value.
  public var location: SettingLocation {
    SettingLocation(file: collector.file, position: node.position, path: path)
  }

  /// Adds an error at the beginning of the value.
  public func report(_ message: String, remedy: String? = nil) {
    collector.report(message, remedy: remedy, at: node.position, path: path)
  }

  /// Adds the error that the value is of another kind than `kind`, which has an article.
  public func report(expected kind: String, remedy: String? = nil) {
    report("expected \(kind), not \(node.kind)", remedy: remedy ?? remedyForOtherKind(kind))
  }

  /// A string, whatever characters it has.
  public func string() -> String? {
    guard case .string(let text) = node.content else {
      report(expected: "a string", remedy: remedyForNonString)
      return nil
    }
    return text
  }

  /// A string without control characters. In `config.json` it may not be a variable such as `${NAME}` either.
  public func text() -> String? {
    guard let text = literalText() else { return nil }
    return rejectsPlaceholder(text, acceptsSource: false) ? nil : text
  }

  /// A string without control characters, in which variables are left to what reads it, such as a command.
  func literalText() -> String? {
    guard let text = string() else { return nil }
    guard !text.containsControlCharacter else {
      report("contains a line break or another control character", remedy: "remove it")
      return nil
    }
    return text
  }

  /// A string of at least one character, none of them a control character.
  public func nonEmptyText() -> String? {
    guard let text = text() else { return nil }
    guard !text.isEmpty else {
      report("empty text", remedy: collector.isConfiguration ? "write something in it, or remove it" : nil)
      return nil
    }
    return text
  }

  /// A string, or an object that names the source of a secret.
  public func configuredValue() -> ConfiguredValue? {
    if case .object = node.content {
      guard let source = SecretSource(self) else { return nil }
      return ConfiguredValue(.secret(source), at: location, access: collector.secrets)
    }
    guard let text = literalText(), !rejectsPlaceholder(text, acceptsSource: true) else { return nil }
    return ConfiguredValue(.literal(text), at: location, access: collector.secrets)
  }

  /// A secret: a string, which deserves a warning, or an object that names its source.
  public func configuredSecret() -> ConfiguredValue? {
    let value = configuredValue()
    if value?.literal?.isEmpty == false { reportPlaintextSecret() }
    return value
  }

  /// Adds a warning that the value is a secret in plain text.
  public func reportPlaintextSecret() { collector.addPlaintextSecret(at: location) }

  /// Adds an error if a text of `config.json` is a variable or a command, and returns whether it is.
  func rejectsPlaceholder(_ text: String, acceptsSource: Bool, isSecret: Bool = false) -> Bool {
    guard collector.isConfiguration, let found = Placeholder(text, isSecret: isSecret) else { return false }
    report(found.message, remedy: found.remedy(acceptsSource: acceptsSource, isSecret: isSecret))
    return true
  }

  /// A path, made absolute.
  public func filePath() -> String? {
    guard let text = nonEmptyText() else { return nil }
    do throws(PathError) {
      return try absolutePath(text, from: collector.directory)
    } catch {
      report(error.message, remedy: error.remedy)
      return nil
    }
  }

  /// `true` or `false`.
  public func boolean() -> Bool? {
    guard case .boolean(let value) = node.content else {
      report(expected: "true or false")
      return nil
    }
    return value
  }

  /// A whole number in `range`.
  package func integer(in range: ClosedRange<Int>) -> Int? {
    guard case .number(let text) = node.content, let number = Int(text) else {
      report(
        "expected a whole number from \(range.lowerBound) to \(range.upperBound)",
        remedy: remedyForNonNumber)
      return nil
    }
    guard range.contains(number) else {
      report("\(quoted(text)) is out of range", remedy: "use \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  /// A duration in `range`, such as `"30s"`.
  func duration(in range: ClosedRange<Duration>) -> Duration? {
    if reportsNumber(as: "a duration", in: range) { return nil }
    guard let text = text() else { return nil }
    guard let duration = Duration(configured: text) else {
      report("\(quoted(text)) is not a duration", remedy: Duration.remedy(forInvalid: text, in: range))
      return nil
    }
    guard range.contains(duration) else {
      report(
        "\(quoted(text)) is out of range",
        remedy: "use \(range.lowerBound.configurationText) to \(range.upperBound.configurationText)")
      return nil
    }
    return duration
  }

  /// Adds an error if the value is a number in place of `kind`, which is a duration; returns whether it is.
  package func reportsNumber(as kind: String, in range: ClosedRange<Duration>? = nil) -> Bool {
    guard case .number(let text) = node.content else { return false }
    report(
      expected: "\(kind) in a string", remedy: Duration.remedy(forInvalid: text, in: range))
    return true
  }

  /// A string that is the raw value of one of the cases of `Choice`.
  public func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ type: Choice.Type = Choice.self
  ) -> Choice? {
    guard let text = string() else { return nil }
    if let choice = Choice(rawValue: text) { return choice }
    report(
      "\(quoted(text)) is not a valid choice",
      remedy: remedy(forUnknown: text, among: Choice.allCases.map(\.rawValue)))
    return nil
  }

  /// The elements of a list.
  public func elements() -> [FieldDecoder]? {
    guard case .array(let elements) = node.content else {
      report(expected: "a list")
      return nil
    }
    return elements.enumerated().map { index, element in
      FieldDecoder(element, path: "\(path)[\(index)]", collector: collector)
    }
  }

  /// Returns what `read` makes of an object. Missing, unknown and duplicate keys are errors.
  public func object<Value>(_ read: (ObjectDecoder) -> Value?) -> Value? {
    guard let object = ObjectDecoder(self) else { return nil }
    let value = read(object)
    object.reportKeys()
    return value
  }

  /// The members of an object whose keys are names chosen by the user.
  public func namedMembers() -> [(name: String, value: FieldDecoder)]? {
    guard let object = ObjectDecoder(self) else { return nil }
    return object.members.compactMap { member in
      guard let reason = invalidNameReason(member.key) else { return (member.key, object.value(of: member)) }
      object.report(reason, remedy: "use letters, digits, - and _", atKeyOf: member)
      return nil
    }
  }

  /// Adds an error for each duplicate key of the objects in this value, at any depth.
  public func reportDuplicateKeys() {
    switch node.content {
    case .object:
      guard let object = ObjectDecoder(self) else { return }
      for member in object.members { object.value(of: member).reportDuplicateKeys() }
    case .array: for element in elements() ?? [] { element.reportDuplicateKeys() }
    case .null, .boolean, .number, .string: break
    }
  }

  private func remedyForOtherKind(_ kind: String) -> String? {
    guard collector.isConfiguration else { return nil }
    return switch (kind, node.content) {
    case ("an object", _): "write it in braces, like {\"key\": \"value\"}"
    case ("a list", .string): "write it in brackets, like [\"…\"]"
    case ("a list", _): "write it in brackets, [ … ]"
    case ("true or false", .string(let text)) where ["true", "false"].contains(text):
      "write it without quotes"
    case ("true or false", _): "write true or false"
    default: nil
    }
  }

  private var remedyForNonString: String? {
    switch node.content {
    case .number: "write it in double quotes"
    case .null: "write a string, or remove the key"
    case .boolean where collector.isConfiguration: "write it in double quotes"
    case .array where collector.isConfiguration, .object where collector.isConfiguration: "write one string"
    case .boolean, .string, .array, .object: nil
    }
  }

  private var remedyForNonNumber: String? {
    if case .string(let text) = node.content, Int(text) != nil { "write it without quotes" } else { nil }
  }
}

/// What is wrong with `name` as a name that commands, lists and logs show; `nil` if it is valid.
package func invalidNameReason(_ name: String) -> String? {
  if name.isEmpty { return "empty name" }
  if name.unicodeScalars.count > 64 { return "name longer than 64 characters" }
  let hasInvalidCharacter = name.unicodeScalars.contains { scalar in
    !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil
      || scalar.properties.generalCategory == .nonspacingMark || "-_.@+".unicodeScalars.contains(scalar))
  }
  if hasInvalidCharacter { return "name with a character that commands and lists can't show" }
  // A command would take it for an option.
  return name.first == "-" ? "name that begins with -" : nil
}

/// Why a text is not a path.
package struct PathError: Error {
  /// What is wrong; one sentence without its full stop.
  package var message: String
  /// What to do; one sentence without its full stop.
  package var remedy: String?
}

/// Returns `path` if it is absolute, or else resolves it from the absolute `directory`. The file system is not read.
package func absolutePath(_ path: String, from directory: String) throws(PathError) -> String {
  guard !path.isEmpty else { throw PathError(message: "empty path") }
  if let found = Placeholder.directory(in: path) {
    throw PathError(
      message: found.hasPrefix("~") ? "\(found) is not expanded" : "\(quoted(found)) is not expanded",
      remedy: found.hasPrefix("~")
        ? "write the path of \(found == "~" ? "your" : "that") home directory, or a path relative to this file"
        : "write the whole path, or a path relative to this file")
  }
  if path.utf8.first == UInt8(ascii: "/") { return path }
  let rest = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
  if rest.isEmpty || rest == "." { return directory }
  return directory.utf8.last == UInt8(ascii: "/") ? directory + rest : "\(directory)/\(rest)"
}
