internal import CPabalTransport

/// The declaration of one setting of a transport.
public struct Setting: Sendable {
  /// The kind of value a setting takes in `config.json`.
  public enum Kind: Sendable {
    /// A string.
    case text
    /// A whole number.
    case number
    /// `true` or `false`.
    case boolean
    /// One of these words.
    case choice([String])
    /// A duration such as `"30s"`; a range limits it in milliseconds.
    case duration
    /// A path; the value is absolute.
    case path
    /// The name of an entry in `accounts`.
    case account
  }

  let kind: Kind
  let key: String
  let help: String
  let defaultText: String?
  let required: Bool
  let secret: Bool
  let range: ClosedRange<Int64>?
  let scopes: [String]

  /// A setting; `help` is one sentence for the operator, `default` is text (`"465"`, `"true"`, `"30s"`).
  ///
  /// `scopes` are the OAuth scopes that an account needs, each as `PROVIDER:SCOPE` (see `pabal_transport.h`).
  public init(
    _ kind: Kind, _ key: String, help: String, default: String? = nil, required: Bool = false,
    secret: Bool = false, range: ClosedRange<Int64>? = nil, scopes: [String] = []
  ) {
    self.kind = kind
    self.key = key
    self.help = help
    self.defaultText = `default`
    self.required = required
    self.secret = secret
    self.range = range
    self.scopes = scopes
  }

  /// The declaration as a C struct, valid as long as the process.
  var declaration: pabal_setting {
    var declaration = pabal_setting()
    declaration.size = UInt32(MemoryLayout<pabal_setting>.size)
    declaration.key = UnsafePointer(permanentCString(key))
    declaration.help = UnsafePointer(permanentCString(help))
    if let defaultText { declaration.default_value = UnsafePointer(permanentCString(defaultText)) }
    declaration.required = required ? 1 : 0
    declaration.secret = secret ? 1 : 0
    if let range {
      declaration.minimum = range.lowerBound
      declaration.maximum = range.upperBound
    }
    if !scopes.isEmpty {
      declaration.scopes = UnsafePointer(permanentCString(scopes.joined(separator: " ")))
    }
    switch kind {
    case .text: declaration.kind = Int32(PABAL_TEXT)
    case .number: declaration.kind = Int32(PABAL_NUMBER)
    case .boolean: declaration.kind = Int32(PABAL_BOOLEAN)
    case .duration: declaration.kind = Int32(PABAL_DURATION)
    case .path: declaration.kind = Int32(PABAL_PATH)
    case .account: declaration.kind = Int32(PABAL_ACCOUNT)
    case .choice(let choiceNames):
      declaration.kind = Int32(PABAL_CHOICE)
      let choices = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: choiceNames.count + 1)
      for (index, word) in choiceNames.enumerated() {
        (choices + index).initialize(to: UnsafePointer(permanentCString(word)))
      }
      (choices + choiceNames.count).initialize(to: nil)
      declaration.choices = UnsafePointer(choices)
    }
    return declaration
  }
}

/// Returns a C string that is never freed, because a plugin's table must be valid as long as the process.
func permanentCString(_ text: String) -> UnsafeMutablePointer<CChar> {
  let bytes = text.utf8CString
  let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
  for (index, byte) in bytes.enumerated() { (copy + index).initialize(to: byte) }
  return copy
}

/// The checked values of the declared settings, valid only in `init(_:host:)`.
public struct Settings {
  let host: UnsafePointer<pabal_host>
  let opening: OpaquePointer

  /// The value of a text, choice or path setting, or an account's name; `nil` if it isn't set.
  public func text(_ key: String) -> String? {
    value(key).map { String(cString: $0.pointee.text) }
  }

  /// The value of a number setting; `nil` if it isn't set.
  public func number(_ key: String) -> Int64? { value(key)?.pointee.number }

  /// The value of a boolean setting; `nil` if it isn't set.
  public func boolean(_ key: String) -> Bool? { number(key).map { $0 != 0 } }

  /// The value of a duration setting; `nil` if it isn't set.
  public func duration(_ key: String) -> Duration? { number(key).map { .milliseconds($0) } }

  /// The mailbox of the account in an account setting; `nil` if it isn't set.
  public func user(_ key: String) -> String? {
    value(key).map { String(cString: $0.pointee.user) }
  }

  private func value(_ key: String) -> UnsafePointer<pabal_value>? {
    guard let value = host.pointee.setting(opening, key), value.pointee.given != 0 else { return nil }
    return value
  }
}
