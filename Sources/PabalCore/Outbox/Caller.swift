/// The program on whose behalf an operation on mails and verifications runs.
///
/// A record belongs to the caller that made it; another client of the HTTP API finds nothing under its id.
public enum Caller: Sendable, Hashable {
  /// The command line, and programs that use the library. They see all records.
  case unrestricted
  /// A client of the HTTP API, by its name in `serve.clients`.
  case client(String)
  /// Callers of the HTTP API without a key.
  case keyless
  /// The demo page.
  case page
  /// A program that submits mail by SMTP or `sendmail`.
  case submitter(Submitter)

  /// The name under which stores keep the owner of a record; empty for ``unrestricted``.
  package var storedName: String {
    switch self {
    case .unrestricted: ""
    case .client(let name): "@\(name)"
    case .keyless: "*"
    case .page: "/"
    // Distinct from the others, which begin with "@", "*" or "/".
    case .submitter(let submitter): submitter.description
    }
  }

  /// The submitter to which a stored name belongs, as people see it; `nil` for a record that wasn't submitted by SMTP or
  /// `sendmail`.
  package static func submitter(ofStoredName name: String) -> String? {
    name.isEmpty || name.hasPrefix("@") || name == Caller.keyless.storedName || name == Caller.page.storedName
      ? nil : name
  }

  /// The caller to which a stored name belongs, as people see it: a submitter, or a client as `client:shop`; `nil` for
  /// others.
  package static func name(ofStoredName stored: String) -> String? {
    stored.hasPrefix("@") ? "client:\(stored.dropFirst())" : submitter(ofStoredName: stored)
  }

  /// The stored name of a caller with this name; the inverse of `name(ofStoredName:)`.
  package static func storedName(ofName name: String) -> String {
    name.hasPrefix("client:") ? "@\(name.dropFirst(7))" : name
  }

  /// Whether a record of `owner`, a stored name, may be used.
  ///
  /// Records without an owner, of the command line and of earlier versions, can be used by any caller that knows their
  /// id, because the id can't be guessed and an upgrade must not invalidate codes that were mailed.
  package func mayUse(_ owner: String) -> Bool {
    self == .unrestricted || owner.isEmpty || owner == storedName
  }
}
