/// A setting that a transport declares.
public struct SettingDeclaration: Sendable, Hashable {
  /// The kinds of values in `config.json`.
  public enum Kind: String, Sendable, Hashable, Codable {
    case text = "text"
    case number = "number"
    case boolean = "boolean"
    case choice = "choice"
    case duration = "duration"
    case path = "path"
    case account = "account"
  }

  /// The key in `config.json`, `[a-z][a-z0-9_]*`.
  public var key: String
  /// The kind of value it takes.
  public var kind: Kind
  /// What it is for; one sentence.
  public var help: String
  /// The value if `config.json` has none, as text.
  public var defaultText: String?
  /// The valid values of a choice; empty for the other kinds.
  public var choices: [String]
  /// The range of a number, or of a duration in milliseconds.
  public var range: ClosedRange<Int64>?
  /// Whether `config.json` must contain it.
  public var required: Bool
  /// Whether its value must never be shown.
  public var secret: Bool
  /// Of an account: the scopes that sending needs, by provider; empty if the plugin names none.
  public var scopes: [AccountScope] = []

  /// Creates a declaration.
  public init(
    key: String, kind: Kind, help: String, defaultText: String? = nil, choices: [String] = [],
    range: ClosedRange<Int64>? = nil, required: Bool = false, secret: Bool = false
  ) {
    self.key = key
    self.kind = kind
    self.help = help
    self.defaultText = defaultText
    self.choices = choices
    self.range = range
    self.required = required
    self.secret = secret
  }
}

/// The value of a setting, in the form in which the plugin receives its kind.
public struct SettingValue: Sendable, Hashable, RedactedDescription {
  /// The value as text, for every kind. A path is absolute.
  public var text: String
  /// A number, a duration in milliseconds, or a boolean as 0 or 1; 0 for the other kinds.
  public var number: Int64

  /// Creates a value.
  public init(text: String, number: Int64 = 0) {
    self.text = text
    self.number = number
  }

  /// A placeholder, because the value may be a password.
  public var description: String { "a setting's value" }
}

/// Why a text is not a valid value of a setting.
public struct SettingError: Error, Sendable, Hashable {
  /// What is wrong; one sentence without its full stop.
  public var message: String
  /// What to do; one sentence without its full stop.
  public var remedy: String?
}

extension SettingDeclaration {
  /// Whether a plugin may declare `key`: `[a-z][a-z0-9_]*`, except `plugin`, which is reserved.
  public static func isValidKey(_ key: String) -> Bool {
    guard let first = key.utf8.first, UInt8(ascii: "a")...UInt8(ascii: "z") ~= first else { return false }
    return key != "plugin"
      && key.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
          UInt8(ascii: "_"):
          true
        default: false
        }
      }
  }

  /// Why the declared default is not a valid value; `nil` if it is, or if there is none.
  public func invalidDefaultReason() -> String? {
    guard let defaultText else { return nil }
    // Accounts are named by the operator, so a plugin can't know any.
    if kind == .account { return "an account can't have a default" }
    do throws(SettingError) {
      _ = try value(of: defaultText, directory: "/")
      return nil
    } catch {
      return error.message
    }
  }

  /// Parses `text` as a value of this setting. Relative paths start from the absolute `directory`.
  ///
  /// Doesn't check whether an account with that name exists.
  public func value(of text: String, directory: String) throws(SettingError) -> SettingValue {
    guard !text.containsControlCharacter else {
      throw SettingError(
        message: "contains a line break or another control character", remedy: "remove it")
    }
    switch kind {
    case .text, .account:
      return SettingValue(text: text)
    case .number:
      let number = try wholeNumber(text)
      try checkRange(number) { String($0) }
      return SettingValue(text: text, number: number)
    case .boolean:
      guard text == "true" || text == "false" else { throw SettingError(message: "expected true or false") }
      return SettingValue(text: text, number: text == "true" ? 1 : 0)
    case .choice:
      guard choices.contains(text) else {
        throw SettingError(
          message: secret ? "not a valid choice" : "\(quoted(text)) is not a valid choice",
          remedy: remedy(forUnknown: text, among: choices))
      }
      return SettingValue(text: text)
    case .duration:
      guard let milliseconds = Duration.milliseconds(configured: text) else {
        throw SettingError(
          message: "not a duration",
          // A secret isn't repeated.
          remedy: Duration.remedy(forInvalid: secret ? "" : text, in: durationRange))
      }
      try checkRange(milliseconds) { Duration.milliseconds($0).configurationText }
      return SettingValue(text: text, number: milliseconds)
    case .path:
      do throws(PathError) {
        return SettingValue(text: try absolutePath(text, from: directory))
      } catch {
        throw SettingError(message: error.message, remedy: error.remedy)
      }
    }
  }

  /// The range of a duration; `nil` if it has none.
  var durationRange: ClosedRange<Duration>? {
    range.map { .milliseconds($0.lowerBound)...(.milliseconds($0.upperBound)) }
  }

  private func checkRange(_ number: Int64, formatted: (Int64) -> String) throws(SettingError) {
    guard let range, !range.contains(number) else { return }
    throw SettingError(
      message: secret ? "out of range" : "\(formatted(number)) is out of range",
      remedy: "use \(formatted(range.lowerBound)) to \(formatted(range.upperBound))")
  }

  /// Parses digits with an optional minus sign.
  private func wholeNumber(_ text: String) throws(SettingError) -> Int64 {
    let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
    guard !digits.isEmpty, digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else {
      throw SettingError(message: "expected a whole number", remedy: "write only digits, like 465")
    }
    guard let number = Int64(text) else { throw SettingError(message: "the number doesn't fit in 64 bits") }
    return number
  }
}
