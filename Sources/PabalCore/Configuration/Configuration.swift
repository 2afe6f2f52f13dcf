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
  /// `serve`.
  public let serve: ServeConfiguration
  /// The bytes it was read from.
  public private(set) var bytes: [UInt8] = []
  let secrets: SecretAccess

  /// Reads the file at `path`. Blocks. Throws every mistake at once, but a syntax error alone.
  public static func read(
    _ path: String, providers: [any AccountProvider] = [TokenProvider()], secrets: SecretAccess = .process
  ) throws(Diagnostics) -> Configuration {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try readFile(path, atMost: sizeLimit)
    } catch {
      throw Diagnostics([error.diagnostic])
    }
    return try read(
      bytes, file: path, directory: parentDirectory(of: path), providers: providers, secrets: secrets)
  }

  /// Reads the bytes of the file named `file`, whose relative paths start from the absolute `directory`.
  public static func read(
    _ bytes: [UInt8], file: String, directory: String,
    providers: [any AccountProvider] = [TokenProvider()], secrets: SecretAccess = .process
  ) throws(Diagnostics) -> Configuration {
    let collector = DiagnosticCollector(subject: .file(file), directory: directory, secrets: secrets)
    let read = collector.decode(bytes) { Configuration($0, file: file, providers: providers) }
    guard var configuration = read, collector.all.isEmpty else {
      throw Diagnostics(collector.sortedByPosition)
    }
    configuration.bytes = bytes
    return configuration
  }

  private init?(_ root: ObjectDecoder, file: String, providers: [any AccountProvider]) {
    _ = root.optional("$schema")?.text()
    let route = TransportConfiguration.route(in: root)
    let transports = TransportConfiguration.all(in: root)
    let accounts = AccountConfiguration.all(in: root, providers: providers)
    let from = root.required("from", remedy: "add one, for example \"from\": \"Pabal <you@example.com>\"")?
      .mailbox()
    let messages = root.optional("messages").map(MessagesConfiguration.read)
    let names = transports?.map(\.name)
    let outbox = root.optional("outbox").map { OutboxConfiguration.read($0, transports: names) }
    let storage = root.optional("storage").map(StorageConfiguration.read)
    let plugins = root.optional("plugins").map(PluginsConfiguration.read)
    let keys = root.optional("keys").map(KeysConfiguration.read)
    let serve = root.optional("serve").map(ServeConfiguration.read)
    let verification = root.optional("verification").map(VerificationConfiguration.read)

    guard let transports, let route, let accounts, let from else { return nil }
    self.file = file
    directory = root.value.collector.directory
    secrets = root.value.collector.secrets
    self.transports = transports
    self.route = route
    self.accounts = accounts
    self.from = from
    self.messages = messages ?? nil
    self.outbox = (outbox ?? nil) ?? OutboxConfiguration()
    self.storage = (storage ?? nil) ?? .defaultLocation(directory)
    self.plugins = (plugins ?? nil) ?? PluginsConfiguration()
    self.keys =
      (keys ?? nil) ?? KeysConfiguration(directory: directory == "/" ? "/keys" : "\(directory)/keys")
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

  private static func parentDirectory(of path: String) -> String {
    let workingDirectory = getcwd(nil, 0).map { name in
      defer { free(name) }
      return String(cString: name)
    }
    let fullPath =
      path.hasPrefix("/")
      ? path : "\(workingDirectory ?? "")/\(path.hasPrefix("./") ? path.dropFirst(2) : path[...])"
    let parentDirectory = fullPath[..<(fullPath.lastIndex(of: "/") ?? fullPath.startIndex)]
    return parentDirectory.isEmpty ? "/" : String(parentDirectory)
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
  /// that exists of `./config.json` and `/etc/pabal/config.json`.
  ///
  /// A named file is returned even if it doesn't exist, so that reading it reports this.
  public static func locate(
    _ explicit: String?, environment: (String) -> String?
  ) throws(Diagnostic) -> String {
    try locate(explicit, environment: environment, standard: ["config.json", "/etc/pabal/config.json"])
  }

  static func locate(
    _ explicit: String?, environment: (String) -> String?, standard: [String]
  ) throws(Diagnostic) -> String {
    if let explicit { return explicit }
    if let named = environment("PABAL_CONFIG"), !named.isEmpty { return named }
    // A file that exists but can't be read is still the one that was meant.
    for path in standard where access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR) {
      return path
    }
    throw Diagnostic(
      "no configuration found: neither \(standard.joined(separator: " nor ")) exists",
      remedy: "name a file with --config FILE or PABAL_CONFIG")
  }
}
