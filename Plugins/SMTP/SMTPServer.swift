internal import Glibc
internal import PabalCurl
internal import PabalFormats
internal import PabalPlugin

/// The SMTP server of a transport, and how to connect to it.
struct SMTPServer: Sendable {
  /// How the connection is secured.
  enum Security: String, Sendable, CaseIterable {
    /// TLS from the first byte.
    case tls = "tls"
    /// STARTTLS before anything else.
    case starttls = "starttls"
    /// Not at all; for a server on this machine, or with `allow_unencrypted` in a private network.
    case none = "none"
  }

  let host: String
  let port: Int
  let security: Security
  let ehlo: String
  let login: SMTPLogin
  var certificateFile: String?
  var certificateDirectory: String?
  /// The proxy for connections to other machines.
  var proxy: HTTPProxy?
  var limits = SMTPLimits()

  /// `host:port`, as in messages.
  var name: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// The proxy that connections to the server go through, if there is one.
  var curlProxy: CurlProxy? {
    proxy.flatMap { $0.applies(to: host) ? $0 : nil }.map {
      CurlProxy(host: $0.bracketedHost, port: $0.port, user: $0.user, password: $0.password)
    }
  }
  /// Whether mail leaves this machine unencrypted.
  var isExposed: Bool { security == .none && !LoopbackHost.matches(host) }

  /// The authorities that the server's certificate must lead to.
  var trustRoots: TrustRoots {
    guard certificateFile != nil || certificateDirectory != nil else { return .system }
    return .only(file: certificateFile, directory: certificateDirectory)
  }

  /// The setting whose file or directory of certificate authorities is missing, with its path; `nil` if none is.
  var missingTrustFile: String? {
    for (key, path) in [("ca_file", certificateFile), ("ca_directory", certificateDirectory)] {
      if let path, access(path, F_OK) != 0 { return "\"\(key)\" \(path)" }
    }
    return nil
  }
}

extension SMTPServer {
  /// The settings of an SMTP transport in `config.json`.
  static let settings: [Setting] = [
    Setting(.text, "host", help: "The server's host name, as in its certificate.", required: true),
    Setting(
      .number, "port", help: "The server's port; by default 465 for tls, 587 for starttls, 25 for none.",
      range: 1...65_535),
    Setting(
      .choice(Security.allCases.map(\.rawValue)), "security",
      help:
        "tls from the first byte, starttls, or none (only for a server on this machine; see allow_unencrypted).",
      default: "tls"),
    Setting(
      .boolean, "allow_unencrypted",
      help:
        "Allow security none, without a login, for a server with a private address, such as Mailpit in a container network. Others in that network can then read the mail.",
      default: "false"),
    Setting(
      .account, "account", help: "The account that logs in with its access token.",
      scopes: ["google:https://mail.google.com/", "microsoft:https://outlook.office.com/SMTP.Send"]),
    Setting(.text, "user", help: "The user who logs in with a password."),
    Setting(.text, "password", help: "The password of \"user\".", secret: true),
    Setting(
      .choice(SMTPLogin.Mechanism.allCases.map(\.rawValue)), "mechanism",
      help: "The SASL mechanism; by default xoauth2 for an account, plain or login for a password."),
    Setting(
      .text, "ehlo", help: "The name sent with EHLO: a domain or an [address].",
      default: "[127.0.0.1]"),
    Setting(
      .path, "ca_file", help: "A PEM file of certificate authorities to trust instead of the system's."),
    Setting(
      .path, "ca_directory",
      help: "An OpenSSL directory of certificate authorities to trust instead of the system's."),
    Setting(
      .text, "proxy",
      help:
        "An HTTP proxy that allows CONNECT, http://[user:password@]host:port, as text or secret; not used for this machine. Proxy variables of the environment are ignored."
    ),
    Setting(
      .duration, "timeout",
      help: "How long to wait for the connection and for each reply before the mail has been sent.",
      default: "60s", range: 100...3_600_000),
    Setting(
      .duration, "final_timeout",
      help:
        "How long to wait for each reply after the mail has been sent; without one, the mail may have arrived or not. RFC 5321 asks for ten minutes.",
      default: "10m", range: 100...3_600_000),
    Setting(
      .number, "parallel",
      help: "The most connections at once; Microsoft 365 allows three.", default: "3",
      range: 1...64),
  ]

  /// Reads and checks the settings.
  init(_ settings: Settings) throws(TransportOpenError) {
    guard let host = HostName.ascii(settings.text("host") ?? ""), SMTPSyntax.isHost(host) else {
      throw TransportOpenError(
        "\"host\": not a host name; write it as in smtp.gmail.com, without a port")
    }
    let security = Security(rawValue: settings.text("security") ?? "") ?? .tls
    let ehlo = settings.text("ehlo") ?? "[127.0.0.1]"
    guard SMTPSyntax.isEHLOName(ehlo) else {
      throw TransportOpenError("\"ehlo\": neither a domain nor an [address]; give one of them, or remove it")
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
    limits.reply = Int(settings.number("timeout") ?? 60_000)
    limits.finalReply = max(limits.reply, Int(settings.number("final_timeout") ?? 600_000))
    if let text = settings.text("proxy"), !text.isEmpty {
      do throws(HTTPProxyError) {
        proxy = try HTTPProxy(text)
      } catch {
        throw TransportOpenError("\"proxy\" \(error)")
      }
    }
    guard isExposed else { return }
    guard settings.boolean("allow_unencrypted") == true else {
      throw TransportOpenError(
        "\"security\": none sends mail unencrypted and is only allowed for this machine; use tls or starttls for \(host), or set \"allow_unencrypted\" if it has a private address"
      )
    }
    guard login.user == nil else {
      throw TransportOpenError(
        "\"security\": none would show the login to others in the network; use tls or starttls for \(host), or remove the login"
      )
    }
    guard proxy == nil else {
      throw TransportOpenError(
        "\"proxy\" leads out of the private network, where \"security\" can't be none; use tls or starttls, or remove \"proxy\""
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
        throw TransportOpenError("\"account\" logs in with a token; remove \"user\" and \"password\"")
      }
      guard mechanism == nil || mechanism == .xoauth2 || mechanism == .oauthbearer else {
        throw TransportOpenError("\"mechanism\" is for passwords; use xoauth2 or oauthbearer with an account")
      }
      let mailbox = settings.user("account") ?? ""
      guard SMTPSyntax.isPrintable(mailbox) else {
        throw TransportOpenError(
          "the account \(account) has no valid \"user\"; set it to the mailbox address")
      }
      self = .account(user: mailbox, mechanism: mechanism ?? .xoauth2)
      return
    }
    guard user != nil || password != nil else {
      guard mechanism == nil else {
        throw TransportOpenError(
          "\"mechanism\" is set without a login; set \"account\", or \"user\" and \"password\"")
      }
      self = .none
      return
    }
    guard let user, let password else {
      throw TransportOpenError("only one of \"user\" and \"password\" is set; set both or neither")
    }
    guard mechanism == nil || mechanism == .plain || mechanism == .login else {
      throw TransportOpenError("\"mechanism\" is for accounts; use plain or login with a password")
    }
    guard SMTPSyntax.isPrintable(user) else {
      throw TransportOpenError("\"user\": not printable ASCII without spaces; correct it")
    }
    guard !password.isEmpty, SMTPSyntax.hasNoControlCharacters(password) else {
      throw TransportOpenError("\"password\" is empty or contains control characters; correct it")
    }
    self = .password(user: user, password: password, mechanism: mechanism)
  }
}

/// The user and the credentials for a login.
///
/// Descriptions contain the mechanisms' names only.
enum SMTPLogin: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// A SASL mechanism (RFC 4954).
  enum Mechanism: String, Sendable, CaseIterable {
    case xoauth2 = "xoauth2"
    case oauthbearer = "oauthbearer"
    case plain = "plain"
    case login = "login"

    /// The name in EHLO and AUTH.
    var name: String { rawValue.uppercased() }
  }

  /// No login: the server accepts this machine without one.
  case none
  /// A user with a password. Without a mechanism: PLAIN, or LOGIN if the server doesn't offer PLAIN.
  case password(user: String, password: String, mechanism: Mechanism?)
  /// A mailbox with an access token, requested for each connection.
  case account(user: String, mechanism: Mechanism)

  /// The mechanisms' names, never the password.
  var description: String { "Login(\(mechanisms))" }
  /// The mechanisms' names, never the password.
  var debugDescription: String { description }
  /// The mechanisms' names, never the password.
  var customMirror: Mirror { Mirror(self, children: []) }

  /// The mechanisms' names, as in messages.
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

extension SMTPLogin {
  /// Returns a user name escaped for OAUTHBEARER (RFC 5801, 4).
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
