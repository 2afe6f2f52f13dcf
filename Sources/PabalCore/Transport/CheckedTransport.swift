/// A transport of `config.json` with its plugin loaded and its settings checked, but no secret fetched.
public struct CheckedTransport: Sendable {
  /// Its name in `config.json`.
  public let name: String
  /// What makes the attempts.
  public let plugin: Plugin
  /// One for each setting that the plugin declares.
  public let settings: [CheckedSetting]
  /// What `config.json` says of it.
  public let configuration: TransportConfiguration

  /// Fetches its secrets and opens it; blocks. `account` gives the source of an account's tokens by its name.
  public func open(
    account source: (String) throws(Diagnostic) -> any AccessTokenSource,
    log: @escaping @Sendable (LogLevel, String) -> Void = { _, _ in }
  ) throws(Diagnostic) -> LoadedTransport {
    var sources: [String: any AccessTokenSource] = [:]
    for setting in settings {
      guard let account = setting.account, sources[account] == nil else { continue }
      sources[account] = try source(account)
    }
    return try LoadedTransport(plugin, name: name, settings: settings, accounts: sources, log: log)
  }
}

extension Configuration {
  /// Loads the plugins of `transports` and checks their settings; tells all that is wrong at once.
  public func checked(
    _ transports: [TransportConfiguration], loader: PluginLoader
  ) throws(Diagnostics) -> [CheckedTransport] {
    var problems: [Diagnostic] = []
    var checked: [CheckedTransport] = []
    for transport in transports {
      do throws(Diagnostic) {
        let plugin = try loader.load(transport.plugin)
        let settings = settings(of: transport, declared: plugin.settings, diagnostics: &problems)
        guard let settings else { continue }
        checked.append(
          CheckedTransport(name: transport.name, plugin: plugin, settings: settings, configuration: transport)
        )
      } catch {
        var problem = error
        problem.path = problem.path ?? transport.pluginLocation.path
        if problem.file == nil {
          problem.file = transport.pluginLocation.file
          problem.position = transport.pluginLocation.position
        }
        problems.append(problem)
      }
    }
    guard problems.isEmpty else { throw Diagnostics(problems) }
    return checked
  }

  /// The transports of `transport`, their plugins loaded; each is opened, and its secrets are fetched, when the
  /// first mail needs it. Blocks.
  ///
  /// `account` gives the source of an account's tokens by its name; `log` is told a transport's name and words.
  public func loadRoute(
    account: @escaping @Sendable (String) throws(Diagnostic) -> any AccessTokenSource = Configuration
      .noAccount,
    log: @escaping @Sendable (String, LogLevel, String) -> Void = { _, _, _ in }
  ) throws(Diagnostics) -> Route {
    let loader = PluginLoader(configured: plugins.directories)
    return Route(
      try checked(try transports(), loader: loader).map { transport in
        Route.Entry(transport.name) { () throws(Diagnostic) in
          try transport.open(account: account) { log(transport.name, $0, $1) }
        }
      })
  }

  /// Refuses: whoever has no accounts can't log in by one.
  public static func noAccount(_ name: String) throws(Diagnostic) -> any AccessTokenSource {
    throw Diagnostic("this program has no accounts, so \(quoted(name)) gives no tokens")
  }
}
