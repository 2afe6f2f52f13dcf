import Glibc
import PabalAccounts
package import PabalCore
package import PabalMessages

/// The version of every program in this package.
package let pabalVersion = "0.1.0"

/// The composition root: builds the plugin loader, accounts, routes and messages that `config.json` describes.
package struct CommandContext {
  /// The configuration that was read.
  package let configuration: Configuration
  /// Finds and loads plugins.
  package let loader: PluginLoader
  /// The accounts of the configuration.
  package let accounts: Accounts
  private let verbose: Bool

  /// Reads the configuration file named by the options or the environment.
  package init(_ options: CommandOptions) throws(CommandError) {
    let file: ConfigurationFile
    do throws(Diagnostic) {
      file = try ConfigurationFile(try Configuration.locate(options.file, environment: environmentVariable))
    } catch {
      throw CommandError(.configuration, [error])
    }
    configuration = try Self.read(file)
    loader = PluginLoader(configured: configuration.plugins.directories)
    accounts = Accounts(configuration)
    verbose = options.verbose
  }

  /// Reads the configuration `file`, which only root must be able to change.
  package init(ownedByRoot file: String) throws(CommandError) {
    let content: ConfigurationFile
    do throws(Diagnostic) {
      content = try ConfigurationFile(ownedByRoot: file)
    } catch {
      throw CommandError(.configuration, [error])
    }
    self.init(try Self.read(content), verbose: false)
  }

  private static var providers: [any AccountProvider] {
    [TokenProvider()] + oauthProviders(dependencies: .system.reporting(AccountReports.report))
  }

  /// Returns a new context for `file`, the changed content of the same configuration file.
  package func reloaded(_ file: ConfigurationFile) throws(CommandError) -> CommandContext {
    CommandContext(try Self.read(file), verbose: verbose)
  }

  /// Reads the configuration; throws its mistakes together with those in the settings of plugins.
  private static func read(_ file: ConfigurationFile) throws(CommandError) -> Configuration {
    do throws(Diagnostics) {
      return try Configuration.read(file, providers: providers)
    } catch {
      throw CommandError(.configuration, error.merged(with: Configuration.settingsMistakes(in: file)).all)
    }
  }

  private init(_ configuration: Configuration, verbose: Bool) {
    self.configuration = configuration
    loader = PluginLoader(configured: configuration.plugins.directories)
    accounts = Accounts(configuration)
    self.verbose = verbose
  }

  /// Loads the plugins of `transports` and checks their settings; throws every mistake at once.
  package func checked(_ transports: [TransportConfiguration]) throws(CommandError) -> [CheckedTransport] {
    do throws(Diagnostics) {
      return try configuration.checked(transports, loader: loader)
    } catch {
      throw CommandError(.configuration, error.all)
    }
  }

  /// Fetches the secrets of a transport and opens it.
  ///
  /// `log` receives the transport's name, the level and the line: warnings and errors, with `--verbose` everything.
  package func open(
    _ transport: CheckedTransport,
    log: @escaping @Sendable (String, LogLevel, String) -> Void = {
      Terminal.printError("\($0): \($1.rawValue): \($2)")
    }
  ) throws(Diagnostic) -> LoadedTransport {
    let name = transport.name
    let least: LogLevel = verbose ? .debug : .warning
    return try transport.open(account: account) { level, line in
      if level >= least { log(name, level, line) }
    }
  }

  /// Returns the source of an account's tokens; may fetch secrets and block.
  package func account(_ name: String) throws(Diagnostic) -> any AccessTokenSource {
    try accounts.account(name)
  }

  /// Returns a route over `transports`; each is opened on first use.
  package func route(_ transports: [CheckedTransport]) -> Route {
    Route(
      transports.map { transport in
        Route.Entry(transport.name) { () throws(Diagnostic) in try open(transport) }
      })
  }

  /// Returns a route over `transports`; `log` receives what they log, with their names.
  package func route(
    _ transports: [CheckedTransport], log: @escaping @Sendable (String, LogLevel, String) -> Void
  ) -> Route {
    Route(
      transports.map { transport in
        Route.Entry(transport.name) { () throws(Diagnostic) in try open(transport, log: log) }
      })
  }

  /// Returns the transports of this run: `names`, else those in `PABAL_TRANSPORT`, else the configured route.
  package func transports(_ names: [String]) throws(CommandError) -> [TransportConfiguration] {
    var names = names
    var optionName = "--transport"
    if names.isEmpty, let environment = environmentVariable("PABAL_TRANSPORT") {
      names = [environment]
      optionName = "PABAL_TRANSPORT"
    }
    let isOverridden = !names.isEmpty
    names = commaSeparated(names)
    guard !isOverridden || !names.isEmpty else {
      throw CommandError(
        .usage, "\(optionName): no transport named", remedy: "`pabal transports` lists them")
    }
    do throws(Diagnostics) {
      return try configuration.transports(overriding: isOverridden ? names : nil)
    } catch {
      throw CommandError(
        .configuration,
        error.all.map { problem in
          var problem = problem
          // The mistake is in the option, not in the file.
          if isOverridden { (problem.file, problem.path) = (nil, optionName) }
          return problem
        })
    }
  }

  /// Whether this run names its transports, which then all mail takes.
  private func isOverridden(_ names: [String]) -> Bool {
    !names.isEmpty || environmentVariable("PABAL_TRANSPORT") != nil
  }

  /// Returns the transports of a mail that this run sends without a submitter: `names`, else those in `PABAL_TRANSPORT`, else
  /// those of the route that its author's domain has.
  package func transports(
    _ names: [String], for mail: () throws(CommandError) -> Mail
  ) throws(CommandError) -> [TransportConfiguration] {
    let standard = try transports(names)
    guard !isOverridden(names), !configuration.routes.all.isEmpty else { return standard }
    return transports(
      named: configuration.routeTable().transports(of: configuration.routes.key(for: try mail())))
  }

  /// Returns the routes of this run with their transports, whose plugins are loaded and settings checked; throws every
  /// mistake at once. `names`, or those in `PABAL_TRANSPORT`, replace the transports of all routes.
  package func checkedRoutes(_ names: [String]) throws(CommandError) -> CheckedRoutes {
    let standard = try transports(names).map(\.name)
    let table = configuration.routeTable(overriding: isOverridden(names) ? standard : nil)
    return CheckedRoutes(table: table, transports: try checked(transports(named: table.names)))
  }

  /// The names of the transports of all routes: those in `PABAL_TRANSPORT`, else those of the configuration.
  package var routeTable: RouteTable {
    let names = isOverridden([]) ? (try? transports([]))?.map(\.name) : nil
    return configuration.routeTable(overriding: names)
  }

  private func transports(named names: [String]) -> [TransportConfiguration] {
    names.compactMap { name in configuration.transports.first { $0.name == name } }
  }

  /// Returns the sender of composed mail: `address`, else the configured one.
  package func sender(_ address: String?) throws(CommandError) -> Mailbox {
    if let address {
      do throws(MailError) {
        return try Mailbox(address)
      } catch {
        throw CommandError(.input, "--from: \(error.message)", remedy: error.remedy)
      }
    }
    do throws(Diagnostic) {
      return try configuration.sender()
    } catch {
      throw CommandError(.configuration, [error])
    }
  }
}

/// The routes of a run and their transports.
package struct CheckedRoutes: Sendable {
  /// The names of each route's transports.
  package let table: RouteTable
  /// The transports of all routes, each once, those of the standard route first.
  package let transports: [CheckedTransport]

  /// The transports of the standard route.
  package var standard: [CheckedTransport] { transports.filter { table.standard.contains($0.name) } }
}

/// Returns the non-empty items of comma-separated lists, trimmed.
package func commaSeparated(_ lists: [String]) -> [String] {
  lists.flatMap { $0.split(separator: ",").map { String($0).trimmed } }.filter { !$0.isEmpty }
}

/// Returns an environment variable; an empty one counts as unset.
package func environmentVariable(_ name: String) -> String? {
  guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
  return value
}

/// The configured messages, with the values of their site-wide variables.
package struct MessageCatalog: Sendable {
  /// Loads and renders the messages.
  package let store: MessageStore

  /// Calls `body` with the store and converts its errors to a `CommandError`.
  package func withStore<Answer>(_ body: (MessageStore) throws(MessageError) -> Answer) throws(CommandError)
    -> Answer
  {
    do throws(MessageError) {
      return try body(store)
    } catch {
      if case .broken(_, let diagnostics) = error { throw CommandError(.input, diagnostics) }
      throw CommandError(.input, error.all.map { Diagnostic($0.description) })
    }
  }
}

extension CommandContext {
  /// Returns the messages with the site's variables; fetches variables that are secrets.
  package func messages(
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) throws(CommandError) -> MessageCatalog {
    do throws(Diagnostic) {
      return MessageCatalog(store: try MessageStore(configuration, onChange: onChange))
    } catch {
      throw CommandError(.configuration, [error])
    }
  }
}

/// The options that every command has.
package struct CommandOptions: Sendable, Equatable {
  /// The configuration file; `nil` for the default locations.
  package var file: String?
  /// Whether the result is printed as JSON.
  package var json: Bool
  /// Whether everything that transports log is printed, not only warnings and errors.
  package var verbose: Bool

  package init(file: String? = nil, json: Bool = false, verbose: Bool = false) {
    self.file = file
    self.json = json
    self.verbose = verbose
  }
}
