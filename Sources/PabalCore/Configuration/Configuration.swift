internal import Glibc

/// The validated contents of `config.json`. Reading it fetches no secrets and loads no plugins.
public struct Configuration: Sendable {
  /// The maximum size of a configuration file in bytes.
  public static let sizeLimit = 1_048_576

  /// The file, as the user named it.
  public let file: String
  /// The absolute directory that relative paths start from.
  public let directory: String
  /// `transport`: the names of the transports in the order they are tried; at least one, without duplicates, all
  /// of them in `transports`.
  public let route: [String]
  /// `routes`: the routes of mail from certain domains.
  public let routes: SenderRoutes
  /// `transports`, in the order written.
  public let transports: [TransportConfiguration]
  /// `accounts`, in the order written.
  public let accounts: [AccountConfiguration]
  /// `from` as configured; `sender()` is the mailbox.
  public let from: ConfiguredValue
  /// `messages`, if configured.
  public let messages: MessagesConfiguration?
  /// `outbox`.
  public let outbox: OutboxConfiguration
  /// `storage`; by default `pabal.sqlite` next to the file.
  public let storage: StorageConfiguration
  /// `plugins`.
  public let plugins: PluginsConfiguration
  /// `keys`; by default the directory `keys` next to the file.
  public let keys: KeysConfiguration
  /// `verification`.
  public let verification: VerificationConfiguration
  /// `aliases`.
  public let aliases: Aliases
  /// `mailboxes`.
  public let mailboxes: [MailboxConfiguration]
  /// `serve`.
  public let serve: ServeConfiguration
  /// The bytes it was read from.
  public private(set) var bytes: [UInt8] = []
  /// What works but deserves attention; of a configuration that was read from a file.
  public private(set) var warnings: [Diagnostic] = []
  let secrets: SecretAccess
  private var plaintextSecrets: [SettingLocation] = []
  private var isReadableByOthers = false

  /// Reads the file at `path`. Blocks. Throws every mistake at once, but a syntax error alone.
  ///
  /// Refuses a file that others can change, because it names what this process runs and where secrets are sent.
  public static func read(
    _ path: String, providers: [any AccountProvider] = [TokenProvider()], secrets: SecretAccess = .process
  ) throws(Diagnostics) -> Configuration {
    let file: ConfigurationFile
    do throws(Diagnostic) {
      file = try ConfigurationFile(path)
    } catch {
      throw Diagnostics([error])
    }
    return try read(file, providers: providers, secrets: secrets)
  }

  /// Reads a file that has been examined. Throws every mistake at once, but a syntax error alone.
  package static func read(
    _ file: ConfigurationFile, providers: [any AccountProvider], secrets: SecretAccess = .process
  ) throws(Diagnostics) -> Configuration {
    var configuration = try read(
      file.bytes, file: file.path, directory: file.directory, providers: providers, secrets: secrets)
    configuration.isReadableByOthers = file.isReadableByOthers
    configuration.warnings =
      file.warnings + configuration.plaintextSecrets.map { configuration.plaintextSecretWarning(at: $0) }
      + configuration.serve.warnings
    return configuration
  }

  /// Returns the warning about a secret that is written in the file.
  public func plaintextSecretWarning(at location: SettingLocation) -> Diagnostic {
    let until =
      isReadableByOthers
      ? "; until then chmod o-r \(shellQuoted(file)), because every user of this machine can read it" : ""
    var warning = location.diagnostic(
      "a secret is stored in plain text in the file",
      remedy: "use {\"env\": …}, {\"file\": …} or {\"command\": …}\(until)")
    warning.severity = .warning
    return warning
  }

  /// Reads the bytes of the file named `file`, whose relative paths start from the absolute `directory`.
  public static func read(
    _ bytes: [UInt8], file: String, directory: String,
    providers: [any AccountProvider] = [TokenProvider()], secrets: SecretAccess = .process
  ) throws(Diagnostics) -> Configuration {
    let collector = DiagnosticCollector(
      subject: .file(file), directory: directory, secrets: secrets, isConfiguration: true)
    let read = collector.decode(bytes) { Configuration($0, file: file, providers: providers) }
    guard var configuration = read, collector.all.isEmpty else {
      throw Diagnostics(collector.sortedByPosition)
    }
    configuration.bytes = bytes
    configuration.plaintextSecrets = collector.plaintextSecrets
    return configuration
  }

  private init?(_ root: ObjectDecoder, file: String, providers: [any AccountProvider]) {
    _ = root.optional("$schema")?.text()
    let route = TransportConfiguration.route(in: root)
    let transports = TransportConfiguration.all(in: root)
    let routes = root.optional("routes").map(SenderRoutes.read)
    let accounts = AccountConfiguration.all(in: root, providers: providers)
    let from = root.required("from", remedy: "add one, for example \"from\": \"Pabal <you@example.com>\"")?
      .mailbox()
    let messages = root.optional("messages").map(MessagesConfiguration.read)
    let transportNames = transports?.map(\.name)
    let outbox = root.optional("outbox").map { OutboxConfiguration.read($0, transports: transportNames) }
    let storage = root.optional("storage").map(StorageConfiguration.read)
    let plugins = root.optional("plugins").map(PluginsConfiguration.read)
    let keys = root.optional("keys").map(KeysConfiguration.read)
    let serve = root.optional("serve").map(ServeConfiguration.read)
    let verification = root.optional("verification").map(VerificationConfiguration.read)
    let hosts = (serve ?? nil)?.submission.compactMap(\.host) ?? []
    let aliases = root.optional("aliases").map { Aliases.read($0, .current(hosts)) }
    let mailboxes = root.optional("mailboxes").map { MailboxConfiguration.all(in: $0, accounts: accounts) }

    guard let transports, let route, let accounts, let from else { return nil }
    self.file = file
    directory = root.value.collector.directory
    secrets = root.value.collector.secrets
    self.transports = transports
    self.route = route
    self.routes = (routes ?? nil) ?? SenderRoutes()
    self.accounts = accounts
    self.from = from
    self.messages = messages ?? nil
    self.outbox = (outbox ?? nil) ?? OutboxConfiguration()
    self.storage = (storage ?? nil) ?? .defaultLocation(directory)
    self.plugins = (plugins ?? nil) ?? PluginsConfiguration()
    self.keys =
      (keys ?? nil) ?? KeysConfiguration(directory: directory == "/" ? "/keys" : "\(directory)/keys")
    self.aliases = (aliases ?? nil) ?? Aliases()
    self.mailboxes = (mailboxes ?? nil) ?? []
    self.serve = (serve ?? nil) ?? ServeConfiguration()
    self.verification = (verification ?? nil) ?? VerificationConfiguration()
  }

  /// Returns the sender of the mail that Pabal composes. Fetches a secret, which may block.
  public func sender() throws(Diagnostic) -> Mailbox {
    let text = try from.fetch()
    do throws(MailError) {
      return try Mailbox(text)
    } catch {
      // A fetched value is not shown, because it may be a secret in the wrong place.
      guard from.literal != nil else {
        throw from.location.diagnostic(
          "the value of \(from) is not a mailbox", remedy: "write it like Name <address>")
      }
      throw from.location.diagnostic(error.message, remedy: error.remedy)
    }
  }
}

extension FieldDecoder {
  /// A mailbox, which is validated now unless it is a secret.
  fileprivate func mailbox() -> ConfiguredValue? {
    guard let text = configuredValue() else { return nil }
    do throws(MailError) {
      if let literal = text.literal { _ = try Mailbox(literal) }
      return text
    } catch {
      report(error.message, remedy: error.remedy)
      return nil
    }
  }
}

extension Configuration {
  /// Returns the path of the file to read: `explicit` (from `--config`), or else `$PABAL_CONFIG`, or else the first
  /// that exists of `./config.json`, `config.json` in a directory above, and `/etc/pabal/config.json`.
  ///
  /// A named file is returned even if it doesn't exist, so that reading it reports this.
  public static func locate(
    _ explicit: String?, environment: (String) -> String?
  ) throws(Diagnostic) -> String {
    let home = environment("HOME")
    return try locate(
      explicit, environment: environment, standard: ["config.json", "/etc/pabal/config.json"],
      above: { ConfigurationSearch.fileAboveWorkingDirectory(home: home) })
  }

  static func locate(
    _ explicit: String?, environment: (String) -> String?, standard: [String],
    above: (() -> String?)? = nil
  ) throws(Diagnostic) -> String {
    if let explicit { return explicit }
    if let named = environment("PABAL_CONFIG"), !named.isEmpty { return named }
    for (index, path) in standard.enumerated() {
      // A file that exists but can't be read is still the one that was meant.
      if access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR) { return path }
      if index == 0, let found = above?() { return found }
    }
    let places = standard.enumerated().map { index, path in
      index == 0 && above != nil ? "\(path), here or in a directory above," : path
    }
    throw Diagnostic(
      "no configuration found: neither \(places.joined(separator: " nor ")) exists",
      remedy: "name a file with --config FILE or PABAL_CONFIG")
  }
}
