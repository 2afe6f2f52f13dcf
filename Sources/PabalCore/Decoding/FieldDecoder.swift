public import PabalFormats

/// A value of the configuration file on its way into a type of ours.
///
/// Every way of reading it either gives what was asked for, or adds one error to the findings and gives
/// `nil`; reading goes on, so that one run shows all that is wrong.
public struct FieldDecoder {
  /// The value as it stands in the file.
  public let node: JSONValue
  /// Its key's path, such as `transports.smtp.port`; empty for the whole file.
  public let path: String
  /// Where errors go.
  public let collector: DiagnosticCollector

  /// The value `node` at `path`.
  public init(_ node: JSONValue, path: String, collector: DiagnosticCollector) {
    self.node = node
    self.path = path
    self.collector = collector
  }

  /// Where the value stands.
  public var location: SettingLocation {
    SettingLocation(file: collector.file, position: node.position, path: path)
  }

  /// Adds an error that stands where the value begins.
  public func report(_ message: String, remedy: String? = nil) {
    collector.report(message, remedy: remedy, at: node.position, path: path)
  }

  /// Adds the error that the value is no `kind`, with an article.
  public func report(expected kind: String, remedy: String? = nil) {
    report("expected \(kind), not \(node.kind)", remedy: remedy)
  }

  /// Text written here, without control characters.
  public func text() -> String? {
    guard case .string(let text) = node.content else {
      report(expected: "a string", remedy: remedyForNonString)
      return nil
    }
    guard !text.containsControlCharacter else {
      report("a line break or another control character in the text", remedy: "take it out")
      return nil
    }
    return text
  }

  /// Text written here, of at least one character.
  public func nonEmptyText() -> String? {
    guard let text = text() else { return nil }
    guard !text.isEmpty else {
      report("the text is empty")
      return nil
    }
    return text
  }

  /// Text written here, or where a secret says it is to be fetched from.
  public func configuredValue() -> ConfiguredValue? {
    if case .object = node.content {
      guard let source = SecretSource(self) else { return nil }
      return ConfiguredValue(.secret(source), at: location, access: collector.secrets)
    }
    return text().map { ConfiguredValue(.literal($0), at: location, access: collector.secrets) }
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

  /// What `read` makes of an object; keys it doesn't ask for, or that stand twice, are errors.
  public func object<Value>(_ read: (ObjectDecoder) -> Value?) -> Value? {
    guard let object = ObjectDecoder(self) else { return nil }
    let value = read(object)
    object.reportUnknownKeys()
    return value
  }

  /// The members of an object whose keys are names that the user chose.
  public func namedMembers() -> [(name: String, value: FieldDecoder)]? {
    guard let object = ObjectDecoder(self) else { return nil }
    return object.members.compactMap { member in
      let value = object.value(of: member)
      guard let reason = invalidNameReason(member.key) else { return (member.key, value) }
      collector.report(
        reason, remedy: "letters, digits, - and _ are always good", at: member.keyPosition, path: value.path)
      return nil
    }
  }

  /// Adds an error for each key that stands twice in an object in here.
  public func reportDuplicateKeys() {
    switch node.content {
    case .object:
      guard let object = ObjectDecoder(self) else { return }
      for member in object.members { object.value(of: member).reportDuplicateKeys() }
    case .array: for element in elements() ?? [] { element.reportDuplicateKeys() }
    case .null, .boolean, .number, .string: break
    }
  }

  private var remedyForNonString: String? {
    switch node.content {
    case .number: "write it in double quotes"
    case .null: "give a text, or take the key out"
    case .boolean, .string, .array, .object: nil
    }
  }
}

extension String {
  /// Whether it holds a scalar of Unicode's category Cc: CR, LF, NUL and the like.
  package var containsControlCharacter: Bool {
    unicodeScalars.contains { $0.value < 0x20 || 0x7F...0x9F ~= $0.value }
  }
}

/// What keeps `name` from being a name that commands, lists and logs can carry, if anything.
private func invalidNameReason(_ name: String) -> String? {
  if name.isEmpty { return "an empty name" }
  if name.unicodeScalars.count > 64 { return "a name longer than 64 characters" }
  let hasInvalidCharacter = name.unicodeScalars.contains { scalar in
    !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil
      || scalar.properties.generalCategory == .nonspacingMark || "-_.@+".unicodeScalars.contains(scalar))
  }
  return hasInvalidCharacter || name.first == "-"
    ? "a name with a character that commands and lists can't carry" : nil
}

extension FieldDecoder {
  /// `true` or `false`.
  func boolean() -> Bool? {
    guard case .boolean(let value) = node.content else {
      report(expected: "true or false")
      return nil
    }
    return value
  }

  /// One of the words of `choices`.
  func choice<Choice: RawRepresentable<String>>(_ choices: [Choice]) -> Choice? {
    guard let text = text() else { return nil }
    if let choice = choices.first(where: { $0.rawValue == text }) { return choice }
    report(
      "\(quoted(text)) is not one of them", remedy: remedy(forUnknown: text, among: choices.map(\.rawValue)))
    return nil
  }

  /// A whole number in `range`.
  func integer(_ range: ClosedRange<Int>) -> Int? {
    guard case .number(let text) = node.content, let number = Int(text), range.contains(number) else {
      report("expected a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return number
  }

  /// A duration in `range`, as in `"30s"`.
  func duration(_ range: ClosedRange<Duration>) -> Duration? {
    guard let text = text() else { return nil }
    guard let duration = Duration(configured: text) else {
      report("\(quoted(text)) is no duration", remedy: "write it as in \"500ms\", \"30s\", \"10m\" or \"1h\"")
      return nil
    }
    guard range.contains(duration) else {
      report(
        "\(quoted(text)) is out of range",
        remedy:
          "it may be from \(range.lowerBound.configurationText) to \(range.upperBound.configurationText)")
      return nil
    }
    return duration
  }
}

/// Why a text is no path.
package struct PathError: Error {
  package var message: String
  package var remedy: String?
}

/// `path`, or where it leads from the absolute `directory` if it is relative; nothing is looked up.
package func absolutePath(_ path: String, from directory: String) throws(PathError) -> String {
  guard !path.isEmpty else { throw PathError(message: "the path is empty") }
  guard path != "~", !path.hasPrefix("~/") else {
    throw PathError(
      message: "~ isn't expanded here",
      remedy: "write the path of your home folder, or a path relative to this file")
  }
  if path.utf8.first == UInt8(ascii: "/") { return path }
  let rest = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
  if rest.isEmpty || rest == "." { return directory }
  return directory.utf8.last == UInt8(ascii: "/") ? directory + rest : "\(directory)/\(rest)"
}
