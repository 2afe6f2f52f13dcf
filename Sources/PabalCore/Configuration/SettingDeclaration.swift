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
