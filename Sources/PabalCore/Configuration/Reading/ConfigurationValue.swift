/// A value of the configuration file on its way into a type of ours.
///
/// Every way of reading it either gives what was asked for, or adds one error to the findings and gives
/// `nil`; reading goes on, so that one run shows all that is wrong.
public struct ConfigurationValue {
  /// The value as it stands in the file.
  public let node: JSONNode
  /// Its key's path, such as `transports.smtp.port`; empty for the whole file.
  public let path: String
  /// Where errors go.
  public let findings: ConfigurationFindings

  /// The value `node` at `path`.
  public init(_ node: JSONNode, path: String, findings: ConfigurationFindings) {
    self.node = node
    self.path = path
    self.findings = findings
  }

  /// Where the value stands.
  public var place: SettingPlace {
    SettingPlace(file: findings.file, position: node.position, path: path)
  }

  /// Adds an error that stands where the value begins.
  public func complain(_ what: String, cure: String? = nil) {
    findings.complain(what, cure: cure, at: node.position, path: path)
  }

  /// Adds the error that the value is no `kind`, with an article.
  public func complain(expected kind: String, cure: String? = nil) {
    complain("expected \(kind), not \(node.kind)", cure: cure)
  }

  /// Text written here, without control characters.
  public func text() -> String? {
    guard case .string(let text) = node.value else {
      complain(expected: "a string", cure: cureForNoString)
      return nil
    }
    guard !text.holdsControlCharacter else {
      complain("a line break or another control character in the text", cure: "take it out")
      return nil
    }
    return text
  }

  /// Text written here, of at least one character.
  public func nonEmptyText() -> String? {
    guard let text = text() else { return nil }
    guard !text.isEmpty else {
      complain("the text is empty")
      return nil
    }
    return text
  }

  /// Text written here, or where a secret says it is to be fetched from.
  public func configuredText() -> ConfiguredText? {
    if case .object = node.value {
      guard let source = SecretSource(self) else { return nil }
      return ConfiguredText(.secret(source), at: place, access: findings.secrets)
    }
    return text().map { ConfiguredText(.literal($0), at: place, access: findings.secrets) }
  }

  /// A path, made absolute.
  public func filePath() -> String? {
    guard let text = nonEmptyText() else { return nil }
    do throws(PathProblem) {
      return try absolutePath(text, from: findings.directory)
    } catch {
      complain(error.what, cure: error.cure)
      return nil
    }
  }

  /// The elements of a list.
  public func elements() -> [ConfigurationValue]? {
    guard case .array(let elements) = node.value else {
      complain(expected: "a list")
      return nil
    }
    return elements.enumerated().map { index, element in
      ConfigurationValue(element, path: "\(path)[\(index)]", findings: findings)
    }
  }

  /// What `read` makes of an object; keys it doesn't ask for, or that stand twice, are errors.
  public func object<Value>(_ read: (ConfigurationObject) -> Value?) -> Value? {
    guard let object = ConfigurationObject(self) else { return nil }
    let value = read(object)
    object.complainOfUnknownKeys()
    return value
  }

  /// The members of an object whose keys are names that the user chose.
  public func namedMembers() -> [(name: String, value: ConfigurationValue)]? {
    guard let object = ConfigurationObject(self) else { return nil }
    return object.members.compactMap { member in
      let value = object.value(of: member)
      guard let fault = nameFault(member.key) else { return (member.key, value) }
      findings.complain(
        fault, cure: "letters, digits, - and _ are always good", at: member.keyPosition, path: value.path)
      return nil
    }
  }

  /// Adds an error for each key that stands twice in an object in here.
  public func refuseRepeatedKeys() {
    switch node.value {
    case .object:
      guard let object = ConfigurationObject(self) else { return }
      for member in object.members { object.value(of: member).refuseRepeatedKeys() }
    case .array: for element in elements() ?? [] { element.refuseRepeatedKeys() }
    case .null, .boolean, .number, .string: break
    }
  }

  private var cureForNoString: String? {
    switch node.value {
    case .number: "write it in double quotes"
    case .null: "give a text, or take the key out"
    case .boolean, .string, .array, .object: nil
    }
  }
}

extension String {
  /// Whether it holds a scalar of Unicode's category Cc: CR, LF, NUL and the like.
  package var holdsControlCharacter: Bool {
    unicodeScalars.contains { $0.value < 0x20 || 0x7F...0x9F ~= $0.value }
  }
}

/// What keeps `name` from being a name that commands, lists and logs can carry, if anything.
private func nameFault(_ name: String) -> String? {
  if name.isEmpty { return "an empty name" }
  if name.unicodeScalars.count > 64 { return "a name longer than 64 characters" }
  let unfit = name.unicodeScalars.contains { scalar in
    !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil
      || scalar.properties.generalCategory == .nonspacingMark || "-_.@+".unicodeScalars.contains(scalar))
  }
  return unfit || name.first == "-" ? "a name with a character that commands and lists can't carry" : nil
}
