internal import CPabalTransport

extension SettingDeclaration {
  /// A mistake in a plugin's setting declaration.
  struct DeclarationError: Error { let message: String }

  /// Converts and checks a declaration from a plugin's table.
  init(_ setting: pabal_setting) throws(DeclarationError) {
    guard let cKey = setting.key else { throw DeclarationError(message: "it has no key") }
    let key = String(cString: cKey)
    guard key != "plugin" else { throw DeclarationError(message: "the key “plugin” is reserved") }
    guard SettingDeclaration.isValidKey(key) else {
      throw DeclarationError(
        message:
          "its key “\(printable(key))” has characters other than lower-case letters, digits and underscores")
    }
    guard let help = setting.help else { throw DeclarationError(message: "“\(key)” has no help") }
    guard let kind = Kind(setting.kind) else {
      throw DeclarationError(message: "“\(key)” has the unknown kind \(setting.kind)")
    }
    var choices: [String] = []
    if kind == .choice {
      var next = setting.choices
      while let choice = next?.pointee, choices.count < 1_000 {
        choices.append(String(cString: choice))
        next = next?.successor()
      }
      guard !choices.isEmpty else { throw DeclarationError(message: "“\(key)” is a choice without choices") }
    }
    guard setting.minimum <= setting.maximum else {
      throw DeclarationError(message: "“\(key)” has a minimum above its maximum")
    }
    let hasRange = setting.minimum != 0 || setting.maximum != 0
    self.init(
      key: key, kind: kind, help: printable(String(cString: help)),
      defaultText: setting.default_value.map { String(cString: $0) }, choices: choices,
      range: hasRange ? setting.minimum...setting.maximum : nil, required: setting.required != 0,
      secret: setting.secret != 0)
    if let scopes = setting.scopes {
      guard kind == .account else {
        throw DeclarationError(message: "“\(key)” has scopes, but isn't an account")
      }
      for text in String(cString: scopes).split(separator: " ") {
        guard let scope = AccountScope(text) else {
          throw DeclarationError(
            message: "“\(key)” has the scope “\(printable(String(text)))”, which isn't PROVIDER:SCOPE")
        }
        self.scopes.append(scope)
      }
    }
    if let reason = invalidDefaultReason() { throw DeclarationError(message: "“\(key)”: \(reason)") }
  }
}

extension SettingDeclaration.Kind {
  fileprivate init?(_ kind: Int32) {
    switch Int(kind) {
    case PABAL_TEXT: self = .text
    case PABAL_NUMBER: self = .number
    case PABAL_BOOLEAN: self = .boolean
    case PABAL_CHOICE: self = .choice
    case PABAL_DURATION: self = .duration
    case PABAL_PATH: self = .path
    case PABAL_ACCOUNT: self = .account
    default: return nil
    }
  }
}

/// The settings of a transport as C values, including fetched secrets; lives until the transport is closed.
final class PluginSettingValues {
  private var values: [String: UnsafeMutablePointer<pabal_value>] = [:]
  private var texts: [UnsafeMutableBufferPointer<CChar>] = []

  /// Fetches the secrets in `settings`; `users` maps account names to mailboxes.
  ///
  /// A declared setting that isn't in `settings` gets its default, so that a plugin finds all its keys.
  init(
    _ settings: [CheckedSetting], declared: [SettingDeclaration], users: [String: String]
  ) throws(Diagnostic) {
    for declaration in declared where !settings.contains(where: { $0.key == declaration.key }) {
      guard !declaration.required else { throw Diagnostic("the setting “\(declaration.key)” is missing") }
      var value = SettingValue(text: "")
      if let text = declaration.defaultText {
        do throws(SettingError) {
          value = try declaration.value(of: text, directory: "/")
        } catch {
          throw Diagnostic("the default of “\(declaration.key)”: \(error.message)")
        }
      }
      add(declaration.key, value, given: declaration.defaultText != nil, user: "")
    }
    for setting in settings {
      let value = try setting.isSet ? setting.fetch() : SettingValue(text: "")
      add(setting.key, value, given: setting.isSet, user: setting.account.flatMap { users[$0] } ?? "")
    }
  }

  private func add(_ key: String, _ value: SettingValue, given: Bool, user: String) {
    let pointer = UnsafeMutablePointer<pabal_value>.allocate(capacity: 1)
    pointer.initialize(
      to: pabal_value(
        size: UInt32(MemoryLayout<pabal_value>.size), given: given ? 1 : 0, text: copyCString(value.text),
        number: value.number, user: copyCString(user)))
    values[key] = pointer
  }

  deinit {
    for value in values.values { value.deallocate() }
    for text in texts {
      // Passwords are erased before the memory is released.
      text.update(repeating: 0)
      text.deallocate()
    }
  }

  func value(_ key: String) -> UnsafePointer<pabal_value>? {
    values[key].map { UnsafePointer($0) }
  }

  private func copyCString(_ text: String) -> UnsafePointer<CChar>? {
    let bytes = text.utf8CString
    let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
    _ = copy.initialize(from: bytes)
    texts.append(copy)
    return UnsafePointer(copy.baseAddress)
  }
}
