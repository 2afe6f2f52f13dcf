internal import PabalFormats
internal import Synchronization

/// An entry of `accounts`, validated by its provider.
public struct AccountConfiguration: Sendable, RedactedDescription {
  /// Its key in `accounts`.
  public let name: String
  /// The name of the provider, such as `token`.
  public let provider: String
  /// The mailbox that the tokens are for, not yet parsed.
  public let user: ConfiguredValue
  /// The location of the entry.
  public let location: SettingLocation
  /// Opens the source of its tokens. May fetch secrets and block.
  let opener: AccountOpener
  // The entry as written, which may contain secrets.
  private let node: JSONValue

  /// The name and the provider, without the settings.
  public var description: String { "account \(quoted(name)) by provider \(quoted(provider))" }

  /// Whether `other` is the same account with the same settings. Positions don't matter.
  public func isSame(as other: AccountConfiguration) -> Bool {
    name == other.name && node.isEquivalent(to: other.node)
  }

  /// Whether a value of it is the output of a command, which may fail at one time and work at another.
  package var usesCommand: Bool { AccountConfiguration.usesCommand(node) }

  private static func usesCommand(_ value: JSONValue) -> Bool {
    switch value.content {
    case .object(let members): members.contains { $0.key == "command" || usesCommand($0.value) }
    case .array(let elements): elements.contains(where: usesCommand)
    default: false
    }
  }

  /// Reads the entries of `accounts`; returns `nil` after an error in any of them.
  static func all(
    in root: ObjectDecoder, providers: [any AccountProvider]
  ) -> [AccountConfiguration]? {
    guard let value = root.optional("accounts") else { return [] }
    guard let members = value.namedMembers() else { return nil }
    let all = members.map { name, value in
      value.object { object in AccountConfiguration(name, object, providers: providers) }
    }
    let read = all.compactMap(\.self)
    return read.count == all.count ? read : nil
  }

  private init?(_ name: String, _ object: ObjectDecoder, providers: [any AccountProvider]) {
    let names = providers.map(\.name)
    let provider = object.required(
      "provider", remedy: "add one, for example \"provider\": \"\(names.first ?? "")\"")
    let user = object.required("user", remedy: "name the mailbox, for example \"user\": \"you@example.com\"")?
      .configuredValue()
    let known = provider?.text().flatMap { text in
      let known = providers.first { $0.name == text }
      if known == nil {
        provider?.report(
          "unknown provider \(quoted(text))", remedy: remedy(forUnknown: text, among: names))
      }
      return known
    }
    guard let known else {
      // Without its provider, the other keys can't be judged.
      _ = object.remaining(except: [])
      return nil
    }
    guard let opener = known.read(object), let user else { return nil }
    self.name = name
    self.provider = known.name
    self.user = user
    location = object.value.location
    self.opener = opener
    node = object.value.node
  }
}

/// The account and the transports that its tokens are for.
public struct AccountContext: Sendable, Hashable {
  /// Its key in `accounts`.
  public let name: String
  /// The mailbox that the tokens are for.
  public let user: String
  /// The plugins of the transports that use the account, by their names or paths, each once.
  public let plugins: [String]

  /// Creates a context.
  public init(name: String, user: String, plugins: [String] = []) {
    self.name = name
    self.user = user
    self.plugins = plugins
  }
}

/// Opens the source of an account's tokens. May fetch secrets and block.
public typealias AccountOpener =
  @Sendable (_ context: AccountContext) throws(Diagnostic) -> any AccessTokenSource

/// A kind of account: reads its settings in `accounts` and opens the source of its tokens.
public protocol AccountProvider: Sendable {
  /// The value of `provider` that selects it.
  var name: String { get }

  /// Reads its own keys, which are all but `provider` and `user`; returns `nil` after it has reported an error.
  func read(_ object: ObjectDecoder) -> AccountOpener?
}

/// The accounts of a configuration. Each is opened when it is first used, once for all transports.
public final class Accounts: Sendable {
  private let configurations: [AccountConfiguration]
  private let transports: [TransportConfiguration]
  private let opened = Mutex<[String: any AccessTokenSource]>([:])

  /// Creates the accounts of `configuration` without opening any.
  public init(_ configuration: Configuration) {
    configurations = configuration.accounts
    transports = configuration.transports
  }

  /// Returns the source of the tokens of the account `name`. May fetch secrets and block.
  public func account(_ name: String) throws(Diagnostic) -> any AccessTokenSource {
    guard let configuration = configurations.first(where: { $0.name == name }) else {
      let names = configurations.map(\.name)
      throw Diagnostic("unknown account \(quoted(name))", remedy: remedy(forUnknown: name, among: names))
    }
    let result = opened.withLock { opened -> Result<any AccessTokenSource, Diagnostic> in
      if let source = opened[name] { return .success(source) }
      do throws(Diagnostic) {
        let context = AccountContext(
          name: name, user: try configuration.user.fetch(), plugins: plugins(withAccount: name))
        let source = try configuration.opener(context)
        opened[name] = source
        return .success(source)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  // Looks for the key `account`, which all bundled transports use, because the plugins that declare their settings
  // are not loaded here.
  private func plugins(withAccount name: String) -> [String] {
    var plugins: [String] = []
    for transport in transports where !plugins.contains(transport.plugin) {
      let usesAccount = transport.settings.contains {
        $0.key == "account" && $0.value.content == .string(name)
      }
      if usesAccount { plugins.append(transport.plugin) }
    }
    return plugins
  }
}
