/// A declared setting together with what the configuration gives for it.
public struct CheckedSetting: Sendable, Unshown {
  /// What the plugin declares.
  public let declaration: SettingDeclaration
  /// Whether there is a value, configured or by default.
  public let given: Bool
  /// The value as text in the form its kind arrives in; without a value, empty.
  public let text: ConfiguredText
  /// The number, as `SettingValue` has it; 0 while the text is a secret still to be fetched.
  public let number: Int64
  /// The account it names, which there is.
  public let account: String?

  init(
    _ declaration: SettingDeclaration, given: Bool, text: ConfiguredText, number: Int64 = 0
  ) {
    self.declaration = declaration
    self.given = given
    self.text = text
    self.number = number
    account = declaration.kind == .account && given ? text.literal : nil
  }

  /// Its key.
  public var key: String { declaration.key }
  /// What it is.
  public var kind: SettingDeclaration.Kind { declaration.kind }
  /// Whether a secret stands in clear in the file, which works but deserves a warning.
  public var isSecretInClear: Bool { declaration.secret && given && !(text.literal ?? "").isEmpty }

  /// The value, in the form its kind arrives in; fetches a secret, which may block.
  public func fetch() throws(Diagnostic) -> SettingValue {
    let fetched = try text.fetch()
    let late = kind == .duration && text.literal == nil
    return SettingValue(
      text: fetched, number: late ? Duration.milliseconds(configured: fetched) ?? 0 : number)
  }

  /// The key and where its value comes from.
  public var description: String { given ? "\(key): \(text)" : "\(key): not given" }
}

extension Configuration {
  /// What `transport` gives for the settings its plugin declares, one for each, in their order; `nil`
  /// after errors, which are added to `diagnostics` in the order they stand in the file.
  public func settings(
    of transport: TransportConfiguration, declared: [SettingDeclaration],
    diagnostics: inout [Diagnostic]
  ) -> [CheckedSetting]? {
    checkedSettings(
      JSONNode(
        .object(transport.settings), at: transport.place.position ?? SourcePosition(line: 1, column: 1)),
      declared: declared, path: transport.place.path, accounts: accounts.map(\.name), file: file,
      directory: directory, secrets: secrets, diagnostics: &diagnostics)
  }
}

/// What an object of `settings` gives for the `declared` ones, as `Configuration.settings` has it.
package func checkedSettings(
  _ settings: JSONNode, declared: [SettingDeclaration], path: String, accounts: [String], file: String?,
  directory: String, secrets: SecretAccess, diagnostics: inout [Diagnostic]
) -> [CheckedSetting]? {
  let findings = ConfigurationFindings(file: file, directory: directory, secrets: secrets)
  let checked = ConfigurationValue(settings, path: path, findings: findings).object { object in
    declared.map { SettingCheck(declaration: $0, accounts: accounts).read(object) }
  }
  diagnostics += findings.inReadingOrder
  return findings.all.isEmpty ? checked?.compactMap(\.self) : nil
}

private struct SettingCheck {
  let declaration: SettingDeclaration
  let accounts: [String]

  func read(_ object: ConfigurationObject) -> CheckedSetting? {
    let value =
      declaration.required
      ? object.required(declaration.key, cure: cureForMissing) : object.optional(declaration.key)
    if let value { return configuredSetting(value) }
    return declaration.required ? nil : byDefault(object.value)
  }

  private func byDefault(_ value: ConfigurationValue) -> CheckedSetting? {
    let findings = value.findings
    var setting = SettingValue(text: "")
    if let text = declaration.defaultText {
      do throws(SettingProblem) {
        setting = try declaration.value(of: text, directory: findings.directory)
      } catch {
        value.complain(
          "the plugin's own default for \(quoted(declaration.key)) is wrong: \(error.what)",
          cure: "give the setting, and tell the plugin's author")
        return nil
      }
    }
    let place = SettingPlace(
      file: findings.file, position: value.node.position, path: keyPath(value.path, declaration.key))
    return CheckedSetting(
      declaration, given: declaration.defaultText != nil,
      text: ConfiguredText(.literal(setting.text), at: place, access: findings.secrets),
      number: setting.number)
  }

  private func configuredSetting(_ value: ConfigurationValue) -> CheckedSetting? {
    let findings = value.findings
    func checked(_ text: ConfiguredText, _ number: Int64 = 0) -> CheckedSetting {
      CheckedSetting(declaration, given: true, text: text, number: number)
    }
    let text: String
    switch (declaration.kind, value.node.value) {
    case (.text, .object), (.choice, .object), (.duration, .object), (.path, .object):
      // What is fetched is secret even where the setting isn't.
      var declaration = declaration
      declaration.secret = true
      let hidden = declaration
      let directory = findings.directory
      return value.configuredText().map { secret in
        checked(
          secret.finished { (fetched) throws(SettingProblem) in
            try hidden.value(of: fetched, directory: directory).text
          })
      }
    case (.number, .number(let number)): text = number
    case (.boolean, .boolean(let boolean)): text = boolean ? "true" : "false"
    case (.text, .string(let string)), (.choice, .string(let string)), (.duration, .string(let string)),
      (.path, .string(let string)), (.account, .string(let string)):
      text = string
    default:
      value.complain(expected: expected, cure: cureForKind(value.node.value))
      return nil
    }
    guard declaration.kind != .account || isKnownAccount(text, value) else { return nil }
    do throws(SettingProblem) {
      let setting = try declaration.value(of: text, directory: findings.directory)
      return checked(
        ConfiguredText(.literal(setting.text), at: value.place, access: findings.secrets), setting.number)
    } catch {
      value.complain(error.what, cure: error.cure)
      return nil
    }
  }

  private func isKnownAccount(_ name: String, _ value: ConfigurationValue) -> Bool {
    if accounts.contains(name) { return true }
    value.complain(
      "there is no account \(quoted(name))",
      cure: accounts.isEmpty ? "add it to \"accounts\"" : cure(forUnknown: name, among: accounts))
    return false
  }

  private var expected: String {
    switch declaration.kind {
    case .text: "a string"
    case .number: "a whole number"
    case .boolean: "true or false"
    case .choice: "one of \(declaration.choices.map(quoted).joined(separator: ", "))"
    case .duration: "a duration in a string"
    case .path: "a path in a string"
    case .account: "an account's name"
    }
  }

  private func cureForKind(_ value: JSONNode.Value) -> String? {
    switch (declaration.kind, value) {
    case (.number, .string(let text)) where Int64(text) != nil: "write it without quotes"
    case (.boolean, .string("true")), (.boolean, .string("false")): "write it without quotes"
    case (.text, .number), (.text, .boolean): "write it in double quotes"
    case (.duration, .number): #"say its unit, as in "500ms", "30s", "10m" or "1h""#
    case (.account, .object): "accounts are named in place; their secrets stand in \"accounts\""
    default: nil
    }
  }

  private var cureForMissing: String {
    let help = declaration.help.hasSuffix(".") ? declaration.help.dropLast() : declaration.help[...]
    return help.isEmpty ? "give \(expected)" : "give \(expected): \(help)"
  }
}
