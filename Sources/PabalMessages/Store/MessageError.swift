public import PabalCore

/// Why a message couldn't be rendered.
public enum MessageError: Error, Sendable, Hashable, CustomStringConvertible {
  /// No message has that name; `nearest` is a similar existing name.
  case unknownMessage(String, nearest: String?)
  /// The files contain errors, and no valid version was loaded before.
  case broken(String, [Diagnostic])
  /// A value is missing; `purpose` comes from message.json.
  case missingVariable(String, message: String, purpose: String)
  /// The message has no variable with that name.
  case unknownVariable(String, message: String, nearest: String?)
  /// A value contains forbidden characters or doesn't fit the variable's kind. The value itself is never shown, because
  /// it may be a secret.
  case invalidValue(variable: String, message: String, reason: String, remedy: String)
  /// Several values are missing, unknown or invalid; one error for each.
  case several([MessageError])
  /// The message is available neither in a requested language nor in the default language.
  case languageUnavailable(message: String, available: [String])

  /// The error as diagnostics.
  var diagnostics: [Diagnostic] {
    switch self {
    case .broken(_, let diagnostics): diagnostics
    default: all.map { Diagnostic($0.description) }
    }
  }

  /// The error, or those in `several`.
  package var all: [MessageError] {
    if case .several(let errors) = self { errors } else { [self] }
  }

  /// The variable whose value is at fault, if that is the error.
  var variable: String? {
    switch self {
    case .missingVariable(let name, _, _), .unknownVariable(let name, _, _), .invalidValue(let name, _, _, _):
      name
    default: nil
    }
  }

  /// The error as errors in the fields of a request, by variable.
  var inputErrors: [InputError] {
    all.map { error in
      InputError(
        field: error.variable.map { "variables.\($0.displayName)" } ?? "variables", message: error.description
      )
    }
  }

  /// What is wrong and what to do; for `broken` and `several`, one line per error.
  public var description: String {
    switch self {
    case .unknownMessage(let name, let nearest):
      "unknown message \"\(name.displayName)\""
        + (nearest.map { "; did you mean \"\($0)\"?" } ?? "; `pabal messages list` lists all messages")
    case .broken(_, let diagnostics):
      diagnostics.map(\.description).joined(separator: "\n")
    case .several(let errors): errors.map(\.description).joined(separator: "\n")
    case .missingVariable(let name, let message, let purpose):
      "the message \"\(message)\" needs a value for \"\(name)\""
        + (purpose.isEmpty ? "" : " (\(purpose))") + "; provide one, or add a default to message.json"
    case .unknownVariable(let name, let message, let nearest):
      "the message \"\(message)\" has no variable \"\(name.displayName)\""
        + (nearest.map { "; did you mean \"\($0)\"?" } ?? "; message.json lists its variables")
    case .invalidValue(let variable, let message, let reason, let remedy):
      "the value for \"\(variable)\" of the message \"\(message)\": \(reason); \(remedy)"
    case .languageUnavailable(let message, let available):
      "the message \"\(message)\" is available only in \(available.sorted().joined(separator: ", "))"
        + "; choose one of them, or add a file for the language"
    }
  }
}

extension String {
  /// The first 64 characters of an untrusted name, with non-printable characters replaced by `?`.
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
