internal import CPabalTransport

/// A transport's settings as C values, with their secrets fetched; lives until the transport is closed.
final class PluginSettingValues {
  private var values: [String: UnsafeMutablePointer<pabal_value>] = [:]
  private var texts: [UnsafeMutableBufferPointer<CChar>] = []

  /// Fetches the secrets among `settings`; `users` are the mailboxes of the accounts, by account name.
  ///
  /// What is declared and not among them has its default, so that a plugin finds every key of its own.
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
      // A password is not left lying in memory that is given back.
      text.update(repeating: 0)
      text.deallocate()
    }
  }

  func value(_ key: String) -> UnsafePointer<pabal_value>? {
    values[key].map { UnsafePointer($0) }
  }

  private func copyCString(_ text: String) -> UnsafePointer<CChar>? {
    let octets = text.utf8CString
    let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: octets.count)
    _ = copy.initialize(from: octets)
    texts.append(copy)
    return UnsafePointer(copy.baseAddress)
  }
}
