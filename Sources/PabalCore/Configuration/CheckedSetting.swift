package import PabalFormats

/// A declared setting with its configured or default value.
public struct CheckedSetting: Sendable, RedactedDescription {
  /// The declaration of the plugin.
  public let declaration: SettingDeclaration
  /// Whether it has a value, configured or by default.
  public let isSet: Bool
  /// The value as text, in the form of its kind; empty without a value.
  public let text: ConfiguredValue
  /// The number as in `SettingValue`; 0 if the value is a secret that is not fetched yet.
  public let number: Int64
  /// The account it names, which is in `accounts`.
  public let account: String?

  init(
    _ declaration: SettingDeclaration, isSet: Bool, text: ConfiguredValue, number: Int64 = 0
  ) {
    self.declaration = declaration
    self.isSet = isSet
    self.text = text
    self.number = number
    account = declaration.kind == .account && isSet ? text.literal : nil
  }

  /// The key.
  public var key: String { declaration.key }
  /// The kind of value.
  public var kind: SettingDeclaration.Kind { declaration.kind }
  /// Whether a secret is written in plain text in the file, which works but deserves a warning.
  public var isPlaintextSecret: Bool {
    guard isSet, let literal = text.literal, !literal.isEmpty else { return false }
    return declaration.secret || (key == "proxy" && literal.contains("@"))
  }

  /// Returns the value in the form of its kind. Fetches a secret, which may block.
  public func fetch() throws(Diagnostic) -> SettingValue {
    let fetched = try text.fetch()
    let isDeferredDuration = kind == .duration && text.literal == nil
    return SettingValue(
      text: fetched, number: isDeferredDuration ? Duration.milliseconds(configured: fetched) ?? 0 : number)
  }

  /// The key and the source of its value.
  public var description: String { isSet ? "\(key): \(text)" : "\(key): not set" }
}

extension Configuration {
  /// Returns the settings that the plugin of `transport` declares, in their order, with their values.
  ///
  /// Returns `nil` after errors, which are added to `diagnostics` in the order of the file.
  public func settings(
    of transport: TransportConfiguration, declared: [SettingDeclaration],
    diagnostics: inout [Diagnostic]
  ) -> [CheckedSetting]? {
    checkedSettings(
      transport.settingsValue, declared: declared, path: transport.location.path,
      accounts: accounts.map(\.name), file: file,
      directory: directory, secrets: secrets, diagnostics: &diagnostics)
  }
}

/// Returns the `declared` settings with their values in the object `settings`, as `Configuration.settings` does.
package func checkedSettings(
  _ settings: JSONValue, declared: [SettingDeclaration], path: String, accounts: [String], file: String?,
  directory: String, secrets: SecretAccess, diagnostics: inout [Diagnostic]
) -> [CheckedSetting]? {
  let collector = DiagnosticCollector(
    subject: .file(file), directory: directory, secrets: secrets, isConfiguration: true)
  let checked = FieldDecoder(settings, path: path, collector: collector).object { object in
    declared.map { SettingReader(declaration: $0, accounts: accounts).read(object) }
  }
  diagnostics += collector.sortedByPosition
  return collector.all.isEmpty ? checked?.compactMap(\.self) : nil
}

private struct SettingReader {
  let declaration: SettingDeclaration
  let accounts: [String]

  func read(_ object: ObjectDecoder) -> CheckedSetting? {
    let value =
      declaration.required
      ? object.required(declaration.key, remedy: remedyForMissing) : object.optional(declaration.key)
    if let value { return configuredSetting(value) }
    return declaration.required ? nil : defaultSetting(object.value)
  }

  private func defaultSetting(_ value: FieldDecoder) -> CheckedSetting? {
    let collector = value.collector
    var setting = SettingValue(text: "")
    if let text = declaration.defaultText {
      do throws(SettingError) {
        setting = try declaration.value(of: text, directory: collector.directory)
      } catch {
        value.report(
          "the plugin's default for \(quoted(declaration.key)) is invalid: \(error.message)",
          remedy: "set it, and report the mistake to the author of the plugin")
        return nil
      }
    }
    let location = SettingLocation(
      file: collector.file, position: value.node.position, path: fieldPath(value.path, declaration.key))
    return CheckedSetting(
      declaration, isSet: declaration.defaultText != nil,
      text: ConfiguredValue(.literal(setting.text), at: location, access: collector.secrets),
      number: setting.number)
  }

  private func configuredSetting(_ value: FieldDecoder) -> CheckedSetting? {
    let collector = value.collector
    func checked(_ text: ConfiguredValue, _ number: Int64 = 0) -> CheckedSetting {
      CheckedSetting(declaration, isSet: true, text: text, number: number)
    }
    let text: String
    switch (declaration.kind, value.node.content) {
    case (.text, .object), (.choice, .object), (.duration, .object), (.path, .object):
      // A fetched value is secret even if the setting isn't.
      var declaration = declaration
      declaration.secret = true
      let secretDeclaration = declaration
      let directory = collector.directory
      return value.configuredValue().map { secret in
        checked(
          secret.transformed { (fetched) throws(SettingError) in
            try secretDeclaration.value(of: fetched, directory: directory).text
          })
      }
    case (.number, .number(let number)): text = number
    case (.boolean, .boolean(let boolean)): text = boolean ? "true" : "false"
    case (.text, .string(let string)), (.choice, .string(let string)), (.duration, .string(let string)),
      (.path, .string(let string)), (.account, .string(let string)):
      text = string
    default:
      value.report(expected: expected, remedy: remedyForKind(value.node.content))
      return nil
    }
    guard
      !value.rejectsPlaceholder(
        text, acceptsSource: declaration.kind != .account, isSecret: declaration.secret),
      declaration.kind != .account || isKnownAccount(text, value)
    else { return nil }
    do throws(SettingError) {
      let setting = try declaration.value(of: text, directory: collector.directory)
      return checked(
        ConfiguredValue(.literal(setting.text), at: value.location, access: collector.secrets), setting.number
      )
    } catch {
      value.report(error.message, remedy: error.remedy)
      return nil
    }
  }

  private func isKnownAccount(_ name: String, _ value: FieldDecoder) -> Bool {
    if accounts.contains(name) { return true }
    value.report(
      "unknown account \(quoted(name))",
      remedy: accounts.isEmpty ? "add it to \"accounts\"" : remedy(forUnknown: name, among: accounts))
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
    case .account: "the name of an account"
    }
  }

  private func remedyForKind(_ value: JSONValue.Content) -> String? {
    switch (declaration.kind, value) {
    case (.number, .string(let text)) where Int64(text) != nil: "write it without quotes"
    case (.boolean, .string("true")), (.boolean, .string("false")): "write it without quotes"
    case (.text, .number), (.text, .boolean): "write it in double quotes"
    case (.duration, .number(let text)): Duration.remedy(forInvalid: text, in: declaration.durationRange)
    case (.account, .object): "write the name of an entry of \"accounts\", which holds the secrets"
    default: nil
    }
  }

  private var remedyForMissing: String {
    let help = declaration.help.hasSuffix(".") ? declaration.help.dropLast() : declaration.help[...]
    return help.isEmpty ? "add \(expected)" : "add \(expected): \(help)"
  }
}
