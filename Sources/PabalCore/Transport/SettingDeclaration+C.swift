internal import CPabalTransport

extension SettingDeclaration {
  /// What a plugin's author got wrong.
  struct DeclarationError: Error { let message: String }

  /// A declaration as `pabal_transport.h` has it.
  init(_ setting: pabal_setting) throws(DeclarationError) {
    guard let cKey = setting.key else { throw DeclarationError(message: "it has no key") }
    let key = String(cString: cKey)
    guard key != "plugin" else { throw DeclarationError(message: "the key “plugin” is the host's") }
    guard SettingDeclaration.isValidKey(key) else {
      throw DeclarationError(message: "its key “\(printable(key))” is not lower-case letters, digits and underscores")
    }
    guard let help = setting.help else { throw DeclarationError(message: "“\(key)” has no help") }
    guard let kind = Kind(setting.kind) else {
      throw DeclarationError(message: "“\(key)” is of kind \(setting.kind), which does not exist")
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
