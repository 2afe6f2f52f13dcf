internal import PabalCore

/// Finds names in Latin letters before a Korean particle whose reading is unknown, because only a person knows it.
struct ReadingLint {
  /// The variables with a particle after them.
  let particleVariables: Set<String>
  /// The locations of site-wide values and readings in the configuration.
  let siteLocations: [String: SettingLocation]
  /// The message.json of the variables.
  let file: String

  /// Checks the value that a mail gets if the caller passes none, otherwise the example.
  func findings(in declaration: MessageDeclaration) -> [Diagnostic] {
    declaration.variables.compactMap { variable in
      guard particleVariables.contains(variable.name),
        case .text(let text, let reading) = variable.defaultValue ?? variable.example,
        let word = LastSound.spelledWord(in: reading ?? text)
      else { return nil }
      let message =
        reading == nil
        ? "{{\(variable.name)}} is \"\(word.displayName)\", which is read by the name of its last letter before a "
          + "Korean particle"
        : "the reading of {{\(variable.name)}}, \(word.displayName), is not in Hangul"
      let verb = reading == nil ? "add" : "write"
      return variable.isSiteWide
        ? siteFinding(message, verb, of: variable.name, hasReading: reading != nil)
        : variable.position.map { position in
          Diagnostic(
            message, remedy: "\(verb) \"reading\": \"…\" with its reading in Hangul", file: file,
            position: position,
            path: "variables.\(variable.name)", severity: .warning)
        }
    }
  }

  private func siteFinding(_ message: String, _ verb: String, of name: String, hasReading: Bool) -> Diagnostic
  {
    let key = name + MessageValue.readingSuffix
    let setting = hasReading ? key : name
    let location = siteLocations[setting] ?? SettingLocation(path: "messages.variables.\(setting)")
    var finding = location.diagnostic(message, remedy: "\(verb) \"\(key)\": \"…\" with its reading in Hangul")
    finding.severity = .warning
    return finding
  }
}
