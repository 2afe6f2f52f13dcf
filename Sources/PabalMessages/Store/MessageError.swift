public import PabalCore

/// Why a message could not be rendered.
public enum MessageError: Error, Sendable, Hashable, CustomStringConvertible {
  /// There is no message of that name; `nearest` is one that there is.
  case unknownMessage(String, nearest: String?)
  /// Its files hold errors, and no good version was loaded before.
  case broken(String, [Diagnostic])
  /// A value is missing; `purpose` is what message.json says it is for.
  case missingVariable(String, message: String, purpose: String)
  /// The message has no such variable.
  case unknownVariable(String, message: String, nearest: String?)
  /// A value that may not stand in a mail, or does not fit the variable's kind; never shown itself, since it
  /// may be a secret.
  case invalidValue(variable: String, message: String, reason: String, remedy: String)
  /// The message is in none of the languages asked for, nor in the default one.
  case languageUnavailable(message: String, available: [String])

  /// The same as errors to mend.
  var diagnostics: [Diagnostic] {
    if case .broken(_, let diagnostics) = self { diagnostics } else { [Diagnostic(description)] }
  }

  /// One sentence for a person: what is wrong and what to do next; for `broken`, one line for each error.
  public var description: String {
    switch self {
    case .unknownMessage(let name, let nearest):
      "there is no message \"\(name.displayName)\""
        + (nearest.map { "; did you mean \"\($0)\"?" } ?? "; `pabal messages list` shows all")
    case .broken(_, let diagnostics):
      diagnostics.map(\.description).joined(separator: "\n")
    case .missingVariable(let name, let message, let purpose):
      "the message \"\(message)\" needs a value for \"\(name)\""
        + (purpose.isEmpty ? "" : " (\(purpose))") + "; give it, or a default in message.json"
    case .unknownVariable(let name, let message, let nearest):
      "the message \"\(message)\" has no variable \"\(name.displayName)\""
        + (nearest.map { "; did you mean \"\($0)\"?" } ?? "; message.json declares them all")
    case .invalidValue(let variable, let message, let reason, let remedy):
      "the value for \"\(variable)\" of the message \"\(message)\": \(reason); \(remedy)"
    case .languageUnavailable(let message, let available):
      "the message \"\(message)\" is only in \(available.sorted().joined(separator: ", "))"
        + "; ask for one of them, or add the file of the language"
    }
  }
}

extension String {
  /// The start of a name from outside, fit for one line of a terminal or a log.
  var displayName: String {
    String(
      String.UnicodeScalarView(
        unicodeScalars.prefix(64).map { scalar in
          switch scalar.properties.generalCategory {
          case .control, .format, .privateUse, .surrogate, .unassigned, .lineSeparator, .paragraphSeparator:
            "?"
          default: scalar
          }
        }))
  }
}
