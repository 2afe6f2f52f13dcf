internal import PabalCore

/// Why a statement or a connection failed.
struct PostgreSQLError: Error, Sendable {
  /// How the failure is dealt with.
  enum Kind: Sendable, Hashable {
    /// The connection is lost or useless. What was sent on it may have taken effect.
    case connection
    /// The transaction was undone because of others and may succeed if it is run again.
    case conflict
    /// Anything else.
    case statement
  }

  let kind: Kind
  /// The error as the callers of a store get it.
  let error: StorageError.Kind

  /// A lost connection.
  static func lost(_ reason: String) -> PostgreSQLError {
    PostgreSQLError(kind: .connection, error: .unreachable(reason))
  }

  /// A row that can't be what Pabal wrote.
  static let corrupt = PostgreSQLError(kind: .statement, error: .corrupt)

  init(kind: Kind, error: StorageError.Kind) {
    self.kind = kind
    self.error = error
  }

  /// The error with the code `state` (https://www.postgresql.org/docs/15/errcodes-appendix.html). Of the server's text only
  /// what contains no values is kept.
  init(state: String, message: String) {
    switch state {
    // The server is shutting down, crashed or starting, or it ended a connection that was idle for too long.
    case "57P01", "57P02", "57P03", "57P05", "25P03":
      self.init(kind: .connection, error: .unreachable(message))
    case let state where state.hasPrefix("08"): self.init(kind: .connection, error: .unreachable(message))
    // After a failover, this connection is to a server that has become a standby.
    case "25006": self.init(kind: .connection, error: .readOnly)
    case "53300", "53400": self.init(kind: .connection, error: .unreachable(message))
    // Serialization failure and deadlock; division by zero is the guard of conditional writes.
    case "40001", "40P01", "22012": self.init(kind: .conflict, error: .busy)
    case "55P03", "57014": self.init(kind: .statement, error: .busy)
    case "53100": self.init(kind: .statement, error: .full)
    case "42501": self.init(kind: .statement, error: .notPermitted)
    case "28000", "28P01", "3D000": self.init(kind: .connection, error: .refused(message))
    // Missing tables or columns, and pages that fail their checksum.
    case "42P01", "42703", "XX001", "XX002": self.init(kind: .statement, error: .corrupt)
    default:
      // A message of other classes may quote a value.
      let isSafe = ["53", "55", "57", "58", "42", "0A"].contains(String(state.prefix(2)))
      self.init(
        kind: .statement, error: .other(isSafe ? "\(message) (SQLSTATE \(state))" : "SQLSTATE \(state)"))
    }
  }
}
