import Glibc
import PabalAccounts
package import PabalCore
package import PabalMessages

/// The version of every program of this package.
package let pabalVersion = "0.1.0"

/// Puts the parts together as `config.json` says; the only place that knows all of them.
package struct CommandContext {
  /// What `config.json` says.
  package let configuration: Configuration
  /// Where plugins are found.
  package let loader: PluginLoader
  /// The accounts of the configuration.
  package let accounts: Accounts
  private let verbose: Bool

  /// Reads the configuration that the options or the environment name.
  package init(_ options: CommandOptions) throws(CommandError) {
    let file: String
    do throws(Diagnostic) {
      file = try Configuration.locate(options.file, environment: environmentVariable)
    } catch {
      throw CommandError(.configuration, [error])
    }
    do throws(Diagnostics) {
      configuration = try Configuration.read(file, providers: [TokenProvider()] + oauthProviders())
    } catch {
      throw CommandError(.configuration, error.all)
    }
    loader = PluginLoader(configured: configuration.plugins.directories)
    accounts = Accounts(configuration)
    verbose = options.verbose
  }

  /// The parts as `bytes`, which its file has become, say; everything is anew.
  package func reloaded(_ bytes: [UInt8]) throws(CommandError) -> CommandContext {
    do throws(Diagnostics) {
      return CommandContext(
        try Configuration.read(
          bytes, file: configuration.file, directory: configuration.directory,
          providers: [TokenProvider()] + oauthProviders()), verbose: verbose)
    } catch {
      throw CommandError(.configuration, error.all)
    }
  }

  private init(_ configuration: Configuration, verbose: Bool) {
    self.configuration = configuration
    loader = PluginLoader(configured: configuration.plugins.directories)
    accounts = Accounts(configuration)
    self.verbose = verbose
  }

  /// Loads the plugins of `transports` and checks their settings; tells all that is wrong at once.
  package func checked(_ transports: [TransportConfiguration]) throws(CommandError) -> [CheckedTransport] {
    do throws(Diagnostics) {
      return try configuration.checked(transports, loader: loader)
    } catch {
      throw CommandError(.configuration, error.all)
    }
  }

  /// Fetches the secrets of a transport and of its accounts, and opens it.
  ///
  /// `log` is told its name, and what it has to say that was asked for.
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

  /// The source of an account's tokens; may fetch secrets and block.
  package func account(_ name: String) throws(Diagnostic) -> any AccessTokenSource {
    try accounts.account(name)
  }

  /// The route over `transports`, each opened when it is first needed.
  package func route(_ transports: [CheckedTransport]) -> Route {
    Route(
      transports.map { transport in
        Route.Entry(transport.name) { () throws(Diagnostic) in try open(transport) }
      })
  }

  /// The same; `log` is told a transport's name and what it has to say.
  package func route(
    _ transports: [CheckedTransport], log: @escaping @Sendable (String, LogLevel, String) -> Void
  ) -> Route {
    Route(
      transports.map { transport in
        Route.Entry(transport.name) { () throws(Diagnostic) in try open(transport, log: log) }
      })
  }

  /// The transports of this run: `names`, or those of `PABAL_TRANSPORT`, or the file's route.
  package func transports(_ names: [String]) throws(CommandError) -> [TransportConfiguration] {
    var names = names
    var optionName = "--transport"
    if names.isEmpty, let environment = environmentVariable("PABAL_TRANSPORT") {
      names = [environment]
      optionName = "PABAL_TRANSPORT"
    }
    let isOverridden = !names.isEmpty
    names = names.flatMap { $0.split(separator: ",").map { String($0).trimmed } }.filter { !$0.isEmpty }
    guard !isOverridden || !names.isEmpty else {
      throw CommandError(.usage, "\(optionName) names no transport", remedy: "`pabal transports` lists them")
    }
    do throws(Diagnostics) {
      return try configuration.transports(overriding: isOverridden ? names : nil)
    } catch {
      throw CommandError(
        .configuration,
        error.all.map { problem in
          var problem = problem
          // The file is right; what was said for this run is not.
          if isOverridden { (problem.file, problem.path) = (nil, optionName) }
          return problem
        })
    }
  }

  /// The sender of what Pabal itself writes.
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

/// A variable of the environment; an empty one counts as unset.
package func environmentVariable(_ name: String) -> String? {
  guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
  return value
}

/// The messages that `config.json` names, with its variables fetched.
package struct MessageCatalog: Sendable {
  /// The store of the messages.
  package let store: MessageStore

  /// What the store answers; what it refuses becomes the command's failure.
  package func withStore<Answer>(_ body: (MessageStore) throws(MessageError) -> Answer) throws(CommandError)
    -> Answer
  {
    do throws(MessageError) {
      return try body(store)
    } catch {
      if case .broken(_, let diagnostics) = error { throw CommandError(.input, diagnostics) }
      throw CommandError(.input, error.description)
    }
  }
}

extension CommandContext {
  /// The messages, with the site's variables; fetches those that are secrets.
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

/// What every command takes.
package struct CommandOptions: Sendable, Equatable {
  /// The configuration; `nil` to look in its usual places.
  package var file: String?
  /// Whether the answer is for a program.
  package var json: Bool
  /// Whether more of what the transports do is told.
  package var verbose: Bool

  package init(file: String? = nil, json: Bool = false, verbose: Bool = false) {
    self.file = file
    self.json = json
    self.verbose = verbose
  }
}
