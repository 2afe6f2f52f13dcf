/// One setting a transport understands, as it declared it.
public struct SettingDeclaration: Sendable, Hashable {
  /// The kind of value a setting takes in `config.json`.
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
  /// What it is for, in one sentence.
  public var help: String
  /// The value where `config.json` gives none, as text.
  public var defaultText: String?
  /// What a choice may be; empty for the other kinds.
  public var choices: [String]
  /// The bounds of a number, or of a duration in milliseconds.
  public var range: ClosedRange<Int64>?
  /// Whether `config.json` must give it.
  public var required: Bool
  /// Whether its value is shown to nobody.
  public var secret: Bool

  /// A setting as a transport declares it.
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

/// A setting's value in the form its kind arrives in at the plugin.
public struct SettingValue: Sendable, Hashable, RedactedDescription {
  /// The value as text, whatever its kind; a path is absolute.
  public var text: String
  /// A number; a duration in milliseconds; a boolean as 0 or 1; else 0.
  public var number: Int64

  /// A setting's value.
  public init(text: String, number: Int64 = 0) {
    self.text = text
    self.number = number
  }

  /// Words in the value's place, since it may be a password.
  public var description: String { "a setting's value" }
}

/// Why a text is no value of a setting.
public struct SettingError: Error, Sendable, Hashable {
  /// What is wrong; one sentence without its full stop.
  public var message: String
  /// What to do next.
  public var remedy: String?
}

extension SettingDeclaration {
  /// Whether `key` may be declared: `[a-z][a-z0-9_]*`, and not `plugin`, which is the host's.
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

  /// What keeps the declared default from being a value of its own setting, if anything.
  public func invalidDefaultReason() -> String? {
    guard let defaultText else { return nil }
    // An account is named by the operator; a plugin can't know any.
    if kind == .account { return "an account has no default" }
    do throws(SettingError) {
      _ = try value(of: defaultText, directory: "/")
      return nil
    } catch {
      return error.message
    }
  }

  /// What `text` means as a value of this setting; relative paths start from the absolute `directory`.
  ///
  /// Whether an account of that name exists is not looked at.
  public func value(of text: String, directory: String) throws(SettingError) -> SettingValue {
    guard !text.containsControlCharacter else {
      throw SettingError(
        message: "a line break or another control character in the text", remedy: "take it out")
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
          message: secret ? "no such choice" : "there is no choice \(quoted(text))",
          remedy: remedy(forUnknown: text, among: choices))
      }
      return SettingValue(text: text)
    case .duration:
      guard let milliseconds = Duration.milliseconds(configured: text) else {
        throw SettingError(
          message: "no duration",
          remedy: #"write a whole number and its unit, as in "500ms", "30s", "10m" or "1h""#)
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

  private func checkRange(_ number: Int64, formatted: (Int64) -> String) throws(SettingError) {
    guard let range, !range.contains(number) else { return }
    throw SettingError(
      message: secret ? "out of bounds" : "\(formatted(number)) is out of bounds",
      remedy: "give \(formatted(range.lowerBound)) to \(formatted(range.upperBound))")
  }

  /// Digits, with or without a minus sign before them, and nothing else.
  private func wholeNumber(_ text: String) throws(SettingError) -> Int64 {
    let digits = text.utf8.first == UInt8(ascii: "-") ? text.utf8.dropFirst() : text.utf8[...]
    guard !digits.isEmpty, digits.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else {
      throw SettingError(message: "expected a whole number", remedy: "write it in digits alone, as in 465")
    }
    guard let number = Int64(text) else { throw SettingError(message: "a number that doesn't fit 64 bits") }
    return number
  }
}
