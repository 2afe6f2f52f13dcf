internal import PabalFormats
internal import Synchronization

/// One entry of `accounts`, its shape checked by its provider.
public struct AccountConfiguration: Sendable, RedactedDescription {
  /// Its key in `accounts`.
  public let name: String
  /// The provider's name, such as `token`.
  public let provider: String
  /// The mailbox the tokens are for; not yet parsed.
  public let user: ConfiguredValue
  /// Where the entry stands.
  public let location: SettingLocation
  /// Makes the source of its tokens, which may fetch secrets and block.
  let opener: AccountOpener
  // As written; it may hold secrets.
  private let node: JSONValue

  /// The name and the provider.
  public var description: String { "account \(quoted(name)) by provider \(quoted(provider))" }

  /// Whether it is the same account with the same settings, wherever they stand.
  public func isSame(as other: AccountConfiguration) -> Bool {
    name == other.name && node.isEquivalent(to: other.node)
  }

  /// The entries of `accounts`, or `nil` after an error in any of them.
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
      "provider", remedy: "say which, as in \"provider\": \"\(names.first ?? "")\"")
    let user = object.required("user", remedy: "name the mailbox, as in \"user\": \"you@example.com\"")?
      .configuredValue()
    let known = provider?.text().flatMap { text in
      let known = providers.first { $0.name == text }
      if known == nil {
        provider?.report(
          "there is no provider \(quoted(text))", remedy: remedy(forUnknown: text, among: names))
      }
      return known
    }
    guard let known else {
      // What another provider would make of its keys nobody can say.
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

/// What an account is opened for.
public struct AccountContext: Sendable, Hashable {
  /// Its key in `accounts`.
  public let name: String
  /// The mailbox the tokens are for.
  public let user: String
  /// The plugins, as `plugin` has them, of the transports whose `account` it is; each once.
  public let plugins: [String]

  /// What an account is opened for.
  public init(name: String, user: String, plugins: [String] = []) {
    self.name = name
    self.user = user
    self.plugins = plugins
  }
}

/// What makes the source of an account's tokens; may fetch secrets and block.
public typealias AccountOpener =
  @Sendable (_ context: AccountContext) throws(Diagnostic) -> any AccessTokenSource

/// A kind of account: what it wants in `accounts`, and how its tokens are had.
public protocol AccountProvider: Sendable {
  /// The name that `provider` gives.
  var name: String { get }

  /// Reads the keys of its own (all but `provider` and `user`), adding what is wrong to the findings.
  func read(_ object: ObjectDecoder) -> AccountOpener?
}

/// The accounts of a configuration, each opened once, when it is first needed, for all transports.
public final class Accounts: Sendable {
  private let configurations: [AccountConfiguration]
  private let transports: [TransportConfiguration]
  private let opened = Mutex<[String: any AccessTokenSource]>([:])

  /// The accounts of `configuration`; nothing is opened yet.
  public init(_ configuration: Configuration) {
    configurations = configuration.accounts
    transports = configuration.transports
  }

  /// The source of the tokens of the account `name`; may fetch secrets and block.
  public func account(_ name: String) throws(Diagnostic) -> any AccessTokenSource {
    guard let configuration = configurations.first(where: { $0.name == name }) else {
      let names = configurations.map(\.name)
      throw Diagnostic("there is no account \(quoted(name))", remedy: remedy(forUnknown: name, among: names))
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

  // By the key every transport of ours uses: the plugins, which declare their settings, aren't loaded here.
  private func plugins(withAccount name: String) -> [String] {
    var plugins: [String] = []
    for transport in transports where !plugins.contains(transport.plugin) {
      let names = transport.settings.contains { $0.key == "account" && $0.value.content == .string(name) }
      if names { plugins.append(transport.plugin) }
    }
    return plugins
  }
}
