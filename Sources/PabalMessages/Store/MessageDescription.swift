public import PabalCore

/// What a message is for and what it needs.
public struct MessageDescription: Sendable, Hashable {
  /// One variable of a message.
  public struct Variable: Sendable, Hashable {
    /// Its name in `{{…}}`.
    public let name: String
    /// What it is for.
    public let purpose: String
    /// What it holds.
    public let kind: VariableKind
    /// A value to show in previews.
    public let example: MessageValue
    /// Whether rendering needs a value: some language uses it, and neither the site nor message.json gives one.
    public let isRequired: Bool
  }

  /// The message's name, which is its folder's.
  public let name: String
  /// What it is for.
  public let purpose: String
  /// The languages it is in, sorted.
  public let languages: [String]
  /// Its variables, in the order declared.
  public let variables: [Variable]
  /// How urgent it is.
  public let lane: Lane
  /// How long after its making it is of use; `nil` where it does not age.
  public let lifetime: Duration?
  /// What becomes of it when nobody knows whether it was taken.
  public let unknownPolicy: UnknownPolicy

  /// The example of every variable, to render the message with.
  public var examples: [String: MessageValue] {
    var examples: [String: MessageValue] = [:]
    for variable in variables { examples[variable.name] = variable.example }
    return examples
  }
}

extension MessageDescription {
  init(_ message: CompiledMessage) {
    let declaration = message.declaration
    let required = message.required
    self.init(
      name: message.name, purpose: declaration.purpose,
      languages: message.languages.values.map(\.tag).sorted(),
      variables: declaration.variables.enumerated().map { number, variable in
        Variable(
          name: variable.name, purpose: variable.purpose, kind: variable.kind,
          example: variable.exampleSource,
          isRequired: required.contains(number))
      },
      lane: declaration.lane, lifetime: declaration.lifetime, unknownPolicy: declaration.unknownPolicy)
  }
}
