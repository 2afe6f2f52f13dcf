extension Configuration {
  /// Whether any mailbox is read for bounces.
  package var readsBounces: Bool { !mailboxes.isEmpty || accounts.contains { $0.bounces != nil } }
}

/// An entry of `mailboxes`: a mailbox that `pabal serve` reads for bounces by IMAP.
public struct MailboxConfiguration: Sendable {
  /// How it is logged in to.
  public enum Login: Sendable {
    /// With tokens of the account with this name.
    case account(String)
    /// With a user name and a password.
    case password(user: ConfiguredValue, password: ConfiguredValue)
  }

  /// Its key in `mailboxes`.
  public let name: String
  /// The host of the IMAP server.
  public let host: String
  /// The port, with TLS from the beginning.
  public let port: Int
  /// The login.
  public let login: Login
  /// The folder that is read.
  public let folder: String
  /// How often it is read.
  public let interval: Duration
  /// A PEM file of certificate authorities to trust instead of the system's.
  public let authorities: String?
  /// The location of the entry.
  public let location: SettingLocation

  /// The scopes with which accounts may read mail by IMAP.
  package static let scopes = [
    AccountScope(provider: "google", scope: "https://mail.google.com/"),
    AccountScope(provider: "google-service-account", scope: "https://mail.google.com/"),
    AccountScope(provider: "microsoft", scope: "https://outlook.office.com/IMAP.AccessAsUser.All"),
  ]

  private static let hosts = [
    "google": "imap.gmail.com", "google-service-account": "imap.gmail.com",
    "microsoft": "outlook.office365.com",
  ]

  /// The name of the account that it logs in with; `nil` with a password.
  package var account: String? {
    if case .account(let name) = login { name } else { nil }
  }

  /// Reads the entries of `mailboxes`; returns `nil` after an error in any of them.
  static func all(in value: FieldDecoder, accounts: [AccountConfiguration]?) -> [MailboxConfiguration]? {
    guard let members = value.namedMembers() else { return nil }
    let all = members.map { name, value in
      value.object { object in MailboxConfiguration(name, object, accounts: accounts) }
    }
    let read = all.compactMap(\.self)
    return read.count == all.count ? read : nil
  }

  private init?(_ name: String, _ object: ObjectDecoder, accounts: [AccountConfiguration]?) {
    let login = Self.login(object, accounts)
    let provider = accounts?.first { account in
      if case .account(account.name)? = login { true } else { false }
    }?.provider
    let standard = provider.flatMap { Self.hosts[$0] }
    let hostField = object.optional("host")
    let host = hostField.map(Self.host) ?? standard
    if hostField == nil, standard == nil, login != nil {
      object.reportMissing("host", remedy: "name the IMAP server, for example \"host\": \"imap.example.com\"")
    }
    let port = object.optional("port").map { $0.integer(in: 1...65_535) } ?? 993
    let folder = object.optional("folder").map(Self.folder) ?? "INBOX"
    let interval =
      object.optional("every").map { $0.duration(in: .seconds(1)...(.seconds(86_400))) } ?? .seconds(300)
    let authorities = object.optional("ca_file")?.filePath()
    guard let login, let host, let port, let folder, let interval else { return nil }
    self.name = name
    self.host = host
    self.port = port
    self.login = login
    self.folder = folder
    self.interval = interval
    self.authorities = authorities
    location = object.value.location
  }

  private static func login(_ object: ObjectDecoder, _ accounts: [AccountConfiguration]?) -> Login? {
    let account = object.optional("account")
    let user = object.optional("user")
    let password = object.optional("password")
    if let account {
      guard user == nil, password == nil else {
        account.report("a mailbox has an account or a password", remedy: "remove \"user\" and \"password\"")
        return nil
      }
      guard let name = account.nonEmptyText() else { return nil }
      if let accounts, !accounts.contains(where: { $0.name == name }) {
        account.report(
          "unknown account \(quoted(name))", remedy: remedy(forUnknown: name, among: accounts.map(\.name)))
        return nil
      }
      return .account(name)
    }
    guard let user, let password else {
      if user == nil, password == nil {
        object.reportMissing(
          "account",
          remedy: "name an account, for example \"account\": \"google\", or set \"user\" and \"password\"")
      } else {
        object.reportMissing(user == nil ? "user" : "password", remedy: "set both, or \"account\"")
      }
      return nil
    }
    let secret = password.configuredSecret()
    guard let user = user.configuredValue(), let secret else { return nil }
    return .password(user: user, password: secret)
  }

  // What libcurl gets as part of a URL, and errors show.
  private static func host(_ value: FieldDecoder) -> String? {
    guard let text = value.nonEmptyText() else { return nil }
    let fits = text.utf8.allSatisfy { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || (0x30...0x39).contains(byte)
        || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":")].contains(byte)
    }
    guard fits, text.utf8.count <= 253 else {
      value.report(
        "\(quoted(text)) is not a host", remedy: "write it like \"imap.example.com\", without a port")
      return nil
    }
    return text
  }

  private static func folder(_ value: FieldDecoder) -> String? {
    guard let text = value.nonEmptyText() else { return nil }
    guard text.utf8.count <= 255 else {
      value.report("longer than the name of a folder can be", remedy: "write it like \"INBOX\"")
      return nil
    }
    return text
  }
}
