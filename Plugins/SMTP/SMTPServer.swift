internal import Glibc
internal import PabalFormats
internal import PabalPlugin

/// The server a transport speaks to, and how.
struct SMTPServer: Sendable {
  /// How the connection is secured.
  enum Security: String, Sendable, CaseIterable {
    /// TLS from the first byte.
    case tls = "tls"
    /// STARTTLS before anything else.
    case starttls = "starttls"
    /// Not at all; only towards this machine.
    case none = "none"
  }

  let host: String
  let port: Int
  let security: Security
  let ehlo: String
  let login: SMTPLogin
  var certificateFile: String?
  var certificateDirectory: String?
  /// The longest silence, in milliseconds.
  var timeout = 60_000

  /// `host:port`, for people.
  var name: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// What libcurl connects to; the path is the EHLO name.
  var url: String { "\(security == .tls ? "smtps" : "smtp")://\(name)/\(ehlo)" }

  /// The setting that names a file or directory of authorities which isn't there, with its path.
  var missingTrustFile: String? {
    for (key, path) in [("ca_file", certificateFile), ("ca_directory", certificateDirectory)] {
      if let path, access(path, F_OK) != 0 { return "\"\(key)\" \(path)" }
    }
    return nil
  }
}

extension SMTPServer {
  /// What `config.json` may say of an SMTP transport.
  static let settings: [Setting] = [
    Setting(.text, "host", help: "The server's name, as in its certificate.", required: true),
    Setting(
      .number, "port", help: "The server's port; 465 for tls, 587 for starttls, 25 for none.",
      range: 1...65_535),
    Setting(
      .choice(Security.allCases.map(\.rawValue)), "security",
      help: "tls from the start, starttls, or none (only towards this machine).", default: "tls"),
    Setting(.account, "account", help: "The account whose mailbox logs in by access token."),
    Setting(.text, "user", help: "Who logs in by password."),
    Setting(.text, "password", help: "The password of \"user\".", secret: true),
    Setting(
      .choice(SMTPLogin.Mechanism.allCases.map(\.rawValue)), "mechanism",
      help: "How the login is proved; without it xoauth2 for an account, plain or login for a password."),
    Setting(
      .text, "ehlo", help: "The name this machine gives itself: a domain or [address].",
      default: "[127.0.0.1]"),
    Setting(.path, "ca_file", help: "A PEM file of authorities to trust instead of the system's."),
    Setting(
      .path, "ca_directory", help: "A directory of hashed authorities to trust instead of the system's."),
    Setting(
      .duration, "timeout", help: "The longest silence of the server, for each reply.", default: "60s",
      range: 100...3_600_000),
    Setting(
      .number, "parallel",
      help: "How many connections carry mails at once; Microsoft 365 allows three.", default: "3",
      range: 1...64),
  ]

  /// Reads the settings; says in words what does not fit.
  init(_ settings: Settings) throws(TransportOpenError) {
    let host = settings.text("host") ?? ""
    guard SMTPSyntax.isHost(host) else {
      throw TransportOpenError(
        "\"host\" is no name of a server; write it as in smtp.gmail.com, without a port")
    }
    let security = Security(rawValue: settings.text("security") ?? "") ?? .tls
    let ehlo = settings.text("ehlo") ?? "[127.0.0.1]"
    guard SMTPSyntax.isEHLOName(ehlo) else {
      throw TransportOpenError("\"ehlo\" is neither a domain nor an [address]")
    }
    let defaultPort =
      switch security {
      case .tls: 465
      case .starttls: 587
      case .none: 25
      }
    self.init(
      host: host, port: settings.number("port").map { Int($0) } ?? defaultPort, security: security,
      ehlo: ehlo,
      login: try SMTPLogin(settings))
    certificateFile = settings.text("ca_file")
    certificateDirectory = settings.text("ca_directory")
    timeout = Int(settings.number("timeout") ?? 60_000)
    guard security != .none || LoopbackHost.matches(host) else {
      throw TransportOpenError(
        "\"security\" none sends mail in the clear and is only for this machine; use tls or starttls for \(host)"
      )
    }
  }
}

extension SMTPLogin {
  init(_ settings: Settings) throws(TransportOpenError) {
    let mechanism = settings.text("mechanism").flatMap(Mechanism.init)
    let user = settings.text("user")
    let password = settings.text("password")
    if let account = settings.text("account") {
      guard user == nil, password == nil else {
        throw TransportOpenError("\"account\" logs in by token; leave \"user\" and \"password\" out")
      }
      guard mechanism == nil || mechanism == .xoauth2 || mechanism == .oauthbearer else {
        throw TransportOpenError("\"mechanism\" is for passwords; an account takes xoauth2 or oauthbearer")
      }
      let mailbox = settings.user("account") ?? ""
      guard SMTPSyntax.isPrintable(mailbox) else {
        throw TransportOpenError(
          "the account \(account) has no \"user\" that can log in; give it its mailbox address")
      }
      self = .account(user: mailbox, mechanism: mechanism ?? .xoauth2)
      return
    }
    guard user != nil || password != nil else {
      guard mechanism == nil else {
        throw TransportOpenError("\"mechanism\" needs \"account\", or \"user\" and \"password\"")
      }
      self = .none
      return
    }
    guard let user, let password else {
      throw TransportOpenError("\"user\" and \"password\" come together")
    }
    guard mechanism == nil || mechanism == .plain || mechanism == .login else {
      throw TransportOpenError("\"mechanism\" is for accounts; a password takes plain or login")
    }
    guard SMTPSyntax.isPrintable(user) else {
      throw TransportOpenError("\"user\" must be printable ASCII without blanks")
    }
    guard !password.isEmpty, SMTPSyntax.hasNoControlCharacters(password) else {
      throw TransportOpenError("\"password\" is empty or holds control characters")
    }
    self = .password(user: user, password: password, mechanism: mechanism)
  }
}

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
