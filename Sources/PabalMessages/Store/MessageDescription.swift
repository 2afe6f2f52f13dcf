public import PabalCore

/// The purpose of a message and the values it needs.
public struct MessageDescription: Sendable, Hashable {
  /// A variable of a message.
  public struct Variable: Sendable, Hashable {
    /// The name, as used in `{{…}}`.
    public let name: String
    /// The purpose, for logs and programs.
    public let purpose: String
    let purposes: MessagePurpose
    /// The type of its value.
    public let kind: VariableKind
    /// The value for previews.
    public let example: MessageValue
    /// Whether the caller must give a value: the variable is used, and has neither a site-wide value nor a default.
    public let isRequired: Bool
    let isSiteWide: Bool

    /// Returns the purpose for a person.
    public func purpose(in language: InterfaceLanguage) -> String { purposes.text(in: language) }
  }

  /// The name of the message and its folder.
  public let name: String
  /// The purpose, for logs and programs.
  public let purpose: String
  let purposes: MessagePurpose
  /// The available languages, sorted.
  public let languages: [String]
  /// The variables in the order of declaration.
  public let variables: [Variable]
  /// The lane, which sets the urgency.
  public let lane: Lane
  /// How long a mail is useful after it was created; `nil` if it doesn't expire.
  public let lifetime: Duration?
  /// What to do if an attempt ends `unknown`.
  public let unknownPolicy: UnknownPolicy

  /// Returns the purpose for a person.
  public func purpose(in language: InterfaceLanguage) -> String { purposes.text(in: language) }

  /// The examples of all variables without a site-wide value, which a reader would see instead.
  public var examples: [String: MessageValue] {
    var examples: [String: MessageValue] = [:]
    for variable in variables where !variable.isSiteWide { examples[variable.name] = variable.example }
    return examples
  }
}

extension MessageDescription {
  init(_ message: CompiledMessage) {
    let declaration = message.declaration
    let required = message.required
    self.init(
      name: message.name, purpose: declaration.purpose.text, purposes: declaration.purpose,
      languages: message.languages.values.map(\.tag).sorted(),
      variables: declaration.variables.enumerated().map { number, variable in
        Variable(
          name: variable.name, purpose: variable.purpose.text, purposes: variable.purpose,
          kind: variable.kind,
          example: variable.exampleSource,
          isRequired: required.contains(number), isSiteWide: variable.isSiteWide)
      },
      lane: declaration.lane, lifetime: declaration.lifetime, unknownPolicy: declaration.unknownPolicy)
  }
}
