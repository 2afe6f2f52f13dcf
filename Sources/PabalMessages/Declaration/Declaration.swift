internal import PabalCore

/// What `message.json` says of a message.
struct Declaration: Sendable {
  /// One variable.
  struct Variable: Sendable {
    var name: String
    var purpose: String
    var kind: VariableKind
    var example: FitValue
    var exampleWritten: MessageValue
    var fallback: FitValue?
    /// Whether the fallback is a value of the whole site.
    var isOfSite = false
    /// Whether a time is shown with its date.
    var withDate: Bool
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
  var faulty: Set<String> = []
  /// Whether it tells which variables there are.
  var isReadable = true

  /// Whether a variable is declared, rightly or not.
  func declares(_ name: String) -> Bool { index[name] != nil || faulty.contains(name) }

  /// All names that are declared, rightly or not.
  var names: [String] { variables.map(\.name) + faulty.sorted() }

  mutating func append(_ variable: Variable) {
    index[variable.name] = variables.count
    variables.append(variable)
  }

  mutating func setSiteValue(_ value: FitValue, ofVariable number: Int) {
    variables[number].fallback = value
    variables[number].isOfSite = true
  }
}
