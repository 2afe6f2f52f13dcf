/// Who logs in, and with what.
///
/// It prints as the names of its mechanisms; so does what holds it.
enum SMTPLogin: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The mechanism by which a login is proved (RFC 4954).
  enum Mechanism: String, Sendable, CaseIterable {
    case xoauth2 = "xoauth2"
    case oauthbearer = "oauthbearer"
    case plain = "plain"
    case login = "login"

    /// The name in EHLO and AUTH.
    var name: String { rawValue.uppercased() }
  }

  /// Nobody: the server knows the machine, or nothing.
  case none
  /// A user with a password; `nil`: PLAIN, or LOGIN where that isn't offered.
  case password(user: String, password: String, mechanism: Mechanism?)
  /// A mailbox with an access token, one for each connection.
  case account(user: String, mechanism: Mechanism)

  /// Never the password.
  var description: String { "Login(\(mechanisms))" }
  /// Never the password.
  var debugDescription: String { description }
  /// Never the password.
  var customMirror: Mirror { Mirror(self, children: []) }

  /// What libcurl may choose from.
  var options: String? {
    switch self {
    case .none: nil
    case .password(_, _, nil): "AUTH=PLAIN;AUTH=LOGIN"
    case .password(_, _, let mechanism?): "AUTH=\(mechanism.name)"
    case .account(_, let mechanism): "AUTH=\(mechanism.name)"
    }
  }

  /// The mechanisms by name, for a person.
  var mechanisms: String {
    switch self {
    case .none: ""
    case .password(_, _, nil): "PLAIN or LOGIN"
    case .password(_, _, let mechanism?), .account(_, let mechanism): mechanism.name
    }
  }

  var user: String? {
    switch self {
    case .none: nil
    case .password(let user, _, _), .account(let user, _): user
    }
  }
}

/// An access token for one login.
struct Token: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  let token: String
  /// The seconds it still lives, where known.
  let expiresIn: Int64?

  /// Never the token itself.
  var description: String { "Grant" }
  /// Never the token itself.
  var debugDescription: String { description }
  /// Never the token itself.
  var customMirror: Mirror { Mirror(self, children: []) }
}

extension SMTPLogin {
  /// A user's name as OAUTHBEARER wants it (RFC 5801, 4); libcurl does not escape.
  static func escaped(_ user: String) -> String {
    user.reduce(into: "") { name, character in
      switch character {
      case ",": name += "=2C"
      case "=": name += "=3D"
      default: name.append(character)
      }
    }
  }
}
