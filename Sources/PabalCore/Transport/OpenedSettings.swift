internal import CPabalTransport

/// A transport's settings as C values, with their secrets fetched; lives until the transport is closed.
final class OpenedSettings {
  private var values: [String: UnsafeMutablePointer<pabal_value>] = [:]
  private var texts: [UnsafeMutableBufferPointer<CChar>] = []

  /// Fetches the secrets among `settings`; `users` are the mailboxes of the accounts, by account name.
  init(_ settings: [CheckedSetting], users: [String: String]) throws(Diagnostic) {
    for setting in settings {
      let value = UnsafeMutablePointer<pabal_value>.allocate(capacity: 1)
      let fetched = try setting.given ? setting.fetch() : SettingValue(text: "")
      value.initialize(
        to: pabal_value(
          size: UInt32(MemoryLayout<pabal_value>.size), given: setting.given ? 1 : 0,
          text: keep(fetched.text),
          number: fetched.number, user: keep(setting.account.flatMap { users[$0] } ?? "")))
      values[setting.declaration.key] = value
    }
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

  private func keep(_ text: String) -> UnsafePointer<CChar>? {
    let octets = text.utf8CString
    let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: octets.count)
    _ = copy.initialize(from: octets)
    texts.append(copy)
    return UnsafePointer(copy.baseAddress)
  }
}
