internal import PabalCore

/// What `message.json` says of a message.
struct MessageDeclaration: Sendable {
  /// One variable.
  struct Variable: Sendable {
    var name: String
    var purpose: String
    var kind: VariableKind
    var example: ValidValue
    var exampleSource: MessageValue
    var defaultValue: ValidValue?
    /// Whether the fallback is a value of the whole site.
    var isSiteWide = false
    /// Whether a time is shown with its date.
    var showsDate: Bool
    /// Where its name stands in message.json; `nil` for what the site alone gives.
    var position: SourcePosition?
  }

  var purpose = ""
  var lane = Lane.normal
  var lifetime: Duration?
  var unknownPolicy = UnknownPolicy.resend
  /// In the order written, what the site alone gives last.
  var variables: [Variable] = []
  private(set) var index: [String: Int] = [:]
  /// The names of variables that are declared, with mistakes that leave nothing of them to use.
  var invalidNames: Set<String> = []
  /// Whether it tells which variables there are.
  var isReadable = true

  /// Whether a variable is declared, rightly or not.
  func declares(_ name: String) -> Bool { index[name] != nil || invalidNames.contains(name) }

  /// All names that are declared, rightly or not.
  var names: [String] { variables.map(\.name) + invalidNames.sorted() }

  mutating func append(_ variable: Variable) {
    index[variable.name] = variables.count
    variables.append(variable)
  }

  mutating func setSiteValue(_ value: ValidValue, ofVariable number: Int) {
    variables[number].defaultValue = value
    variables[number].isSiteWide = true
  }
}
