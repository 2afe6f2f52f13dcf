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
  /// Whether the mailbox is read for bounces; `nil`: it isn't.
  public let bounces: BounceIntakeConfiguration?
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
    let bounces = BounceIntakeConfiguration.read(object, provider: known.name)
    guard let opener = known.read(object), let user else { return nil }
    self.bounces = bounces
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
  /// What each transport that uses the account declares about its scopes.
  public let uses: [AccountUse]

  /// Creates a context.
  public init(name: String, user: String, uses: [AccountUse] = []) {
    self.name = name
    self.user = user
    self.uses = uses
  }
}

/// A transport's use of an account.
public struct AccountUse: Sendable, Hashable {
  /// The scopes that its plugin declares; empty if it declares none, or can't be loaded.
  public let scopes: [AccountScope]
  /// The settings that are given.
  public let settings: Set<String>

  /// A use.
  public init(scopes: [AccountScope], settings: Set<String> = []) {
    self.scopes = scopes
    self.settings = settings
  }

  /// Returns the scope that accounts of `provider` need; `nil` if the plugin declares none for it.
  public func scope(provider: String) -> String? {
    scopes.scope(provider: provider) { settings.contains($0) }
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
  private let mailboxes: [MailboxConfiguration]
  private let loader: PluginLoader
  private let opened = Mutex<[String: any AccessTokenSource]>([:])

  /// Creates the accounts of `configuration` without opening any.
  public init(_ configuration: Configuration) {
    configurations = configuration.accounts
    transports = configuration.transports
    mailboxes = configuration.mailboxes
    loader = PluginLoader(configured: configuration.plugins.directories)
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
          name: name, user: try configuration.user.fetch(),
          uses: uses(ofAccount: name)
            + (configuration.bounces == nil ? [] : [AccountUse(scopes: BounceIntakeConfiguration.scopes)])
            + mailboxes.filter { $0.account == name }.map { _ in
              AccountUse(scopes: MailboxConfiguration.scopes)
            })
        let source = try configuration.opener(context)
        opened[name] = source
        return .success(source)
      } catch {
        return .failure(error)
      }
    }
    return try result.get()
  }

  // Loads the plugins of all transports that name the account in any setting, because only a plugin knows its scopes. Those
  // of the route are loaded already.
  private func uses(ofAccount name: String) -> [AccountUse] {
    transports.compactMap { transport in
      let named = transport.settings.filter { $0.value.content == .string(name) }
      guard !named.isEmpty, let plugin = try? loader.load(transport.plugin) else { return nil }
      let declared = plugin.settings.first { setting in
        setting.kind == .account && named.contains { $0.key == setting.key }
      }
      guard let declared else { return nil }
      return AccountUse(scopes: declared.scopes, settings: Set(transport.settings.map(\.key)))
    }
  }
}
