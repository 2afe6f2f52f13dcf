internal import Synchronization

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
      let names = transport.settings.contains { $0.key == "account" && $0.node.value == .string(name) }
      if names { plugins.append(transport.plugin) }
    }
    return plugins
  }
}
