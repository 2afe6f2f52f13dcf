internal import CPabalTransport

extension SettingDeclaration {
  /// What a plugin's author got wrong.
  struct Mistake: Error { let what: String }

  /// A declaration as `pabal_transport.h` has it.
  init(_ setting: pabal_setting) throws(Mistake) {
    guard let cKey = setting.key else { throw Mistake(what: "it has no key") }
    let key = String(cString: cKey)
    guard key != "plugin" else { throw Mistake(what: "the key “plugin” is the host's") }
    guard SettingDeclaration.isKey(key) else {
      throw Mistake(what: "its key “\(printable(key))” is not lower-case letters, digits and underscores")
    }
    guard let help = setting.help else { throw Mistake(what: "“\(key)” has no help") }
    guard let kind = Kind(setting.kind) else {
      throw Mistake(what: "“\(key)” is of kind \(setting.kind), which does not exist")
    }
    var choices: [String] = []
    if kind == .choice {
      var next = setting.choices
      while let choice = next?.pointee, choices.count < 1_000 {
        choices.append(String(cString: choice))
        next = next?.successor()
      }
      guard !choices.isEmpty else { throw Mistake(what: "“\(key)” is a choice without choices") }
    }
    guard setting.minimum <= setting.maximum else {
      throw Mistake(what: "“\(key)” has a minimum above its maximum")
    }
    let bounded = setting.minimum != 0 || setting.maximum != 0
    self.init(
      key: key, kind: kind, help: printable(String(cString: help)),
      defaultText: setting.default_value.map { String(cString: $0) }, choices: choices,
      range: bounded ? setting.minimum...setting.maximum : nil, required: setting.required != 0,
      secret: setting.secret != 0)
    if let mistake = defaultMistake() { throw Mistake(what: "“\(key)”: \(mistake)") }
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
