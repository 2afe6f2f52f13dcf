internal import Glibc
internal import PabalFormats

/// What `config.json` says, its shape checked; no secret is fetched and no plugin loaded for it.
public struct Configuration: Sendable {
  /// The most bytes a configuration file may have.
  public static let sizeLimit = 1_048_576

  /// The file, as the user named it.
  public let file: String
  /// The folder that relative paths start from, absolute.
  public let directory: String
  /// `transport`: the names tried in order; at least one, none twice, all defined.
  public let route: [String]
  /// `transports`, in the order written.
  public let transports: [TransportConfiguration]
  /// `accounts`, in the order written.
  public let accounts: [AccountConfiguration]
  /// `from`, as configured; `sender` is what it means.
  public let from: ConfiguredValue
  /// `messages`, where there are any.
  public let messages: MessagesConfiguration?
  /// `outbox`.
  public let outbox: OutboxConfiguration
  /// `storage`; by default `pabal.sqlite` beside the file.
  public let storage: StorageConfiguration
  /// `plugins`.
  public let plugins: PluginsConfiguration
  /// `keys`; by default in the folder `keys` beside the file.
  public let keys: KeysConfiguration
  /// `verification`.
  public let verification: VerificationConfiguration
  /// `serve`: what `pabal serve` does beside sending.
  public let serve: ServeConfiguration
  /// The bytes it was read from.
  public private(set) var bytes: [UInt8] = []
  let secrets: SecretAccess

  /// Reads the file at `path`; blocks. All that is wrong with it comes at once, a syntax error alone.
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

  /// Reads the bytes of a file called `file` whose relative paths start from the absolute `directory`.
  public static func read(
    _ bytes: [UInt8], file: String, directory: String,
    providers: [any AccountProvider] = [TokenProvider()], secrets: SecretAccess = .process
  ) throws(Diagnostics) -> Configuration {
    let node: JSONValue
    do throws(Diagnostic) {
      node = try JSONParser.read(bytes, file: file)
    } catch {
      throw Diagnostics([error])
    }
    let collector = DiagnosticCollector(file: file, directory: directory, secrets: secrets)
    let root = FieldDecoder(node, path: "", collector: collector)
    let read = root.object { Configuration($0, file: file, providers: providers) }
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
    let from = root.required("from", remedy: "add \"from\": \"Pabal <you@example.com>\"")?.mailbox()
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

  /// Whom the mail that Pabal itself writes is from; fetches a secret, which may block.
  public func sender() throws(Diagnostic) -> Mailbox {
    let text = try from.fetch()
    do throws(MailError) {
      return try Mailbox(text)
    } catch {
      // What was fetched may be a secret that stands in the wrong place.
      guard from.literal != nil else {
        throw from.location.diagnostic(
          "what \(from) gives is no mailbox", remedy: "write it as Name <address>")
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
  /// A mailbox, which is looked at now if it stands here and not in a secret.
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
  /// The path of the file to read: `explicit` (from `--config`), else `$PABAL_CONFIG`, else the first
  /// there is of `./config.json` and `/etc/pabal/config.json`.
  ///
  /// A file that is named is taken even if it isn't there, so that reading it says so.
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
    // A file that is there but can't be read is the one that was meant.
    for path in standard where access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR) {
      return path
    }
    throw Diagnostic(
      "there is no configuration: neither \(standard.joined(separator: " nor "))",
      remedy: "name one with --config FILE or PABAL_CONFIG")
  }
}
