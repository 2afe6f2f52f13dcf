import Glibc
import PabalAccounts
import PabalCore
import PabalMessages

/// Puts the parts together as `config.json` says; the only place that knows all of them.
struct Assembly {
  /// What `config.json` says.
  let configuration: Configuration
  /// Where plugins are found.
  let loader: PluginLoader
  /// The accounts of the configuration.
  let accounts: Accounts
  private let verbose: Bool

  /// Reads the configuration that the options or the environment name.
  init(_ options: CommonOptions) throws(Failure) {
    let file: String
    do throws(Diagnostic) {
      file = try Configuration.locate(options.file, environment: environmentVariable)
    } catch {
      throw Failure(.configuration, [error])
    }
    do throws(Diagnostics) {
      configuration = try Configuration.read(file, providers: [TokenProvider()] + oauthProviders())
    } catch {
      throw Failure(.configuration, error.all)
    }
    loader = PluginLoader(configured: configuration.plugins.directories)
    accounts = Accounts(configuration)
    verbose = options.verbose
  }

  /// The parts as `octets`, which its file has become, say; everything is anew.
  func anew(_ octets: [UInt8]) throws(Failure) -> Assembly {
    do throws(Diagnostics) {
      return Assembly(
        try Configuration.read(
          octets, file: configuration.file, directory: configuration.directory,
          providers: [TokenProvider()] + oauthProviders()), verbose: verbose)
    } catch {
      throw Failure(.configuration, error.all)
    }
  }

  private init(_ configuration: Configuration, verbose: Bool) {
    self.configuration = configuration
    loader = PluginLoader(configured: configuration.plugins.directories)
    accounts = Accounts(configuration)
    self.verbose = verbose
  }

  /// Loads the plugins of `transports` and checks their settings; tells all that is wrong at once.
  func checked(_ transports: [TransportConfiguration]) throws(Failure) -> [CheckedTransport] {
    do throws(Diagnostics) {
      return try configuration.checked(transports, loader: loader)
    } catch {
      throw Failure(.configuration, error.all)
    }
  }

  /// Fetches the secrets of a transport and of its accounts, and opens it.
  func open(_ transport: CheckedTransport) throws(Diagnostic) -> LoadedTransport {
    let name = transport.name
    let least: LogLevel = verbose ? .debug : .warning
    return try transport.open(account: account) { level, line in
      if level >= least { Terminal.tell("\(name): \(level.rawValue): \(line)") }
    }
  }

  /// The source of an account's tokens; may fetch secrets and block.
  func account(_ name: String) throws(Diagnostic) -> any AccessTokenSource { try accounts.account(name) }

  /// The route over `transports`, each opened when it is first needed.
  func route(_ transports: [CheckedTransport]) -> Route {
    Route(
      transports.map { transport in
        Route.Stop(transport.name) { () throws(Diagnostic) in try open(transport) }
      })
  }

  /// The transports of this run: `names`, or those of `PABAL_TRANSPORT`, or the file's route.
  func transports(_ names: [String]) throws(Failure) -> [TransportConfiguration] {
    var names = names
    var door = "--transport"
    if names.isEmpty, let environment = environmentVariable("PABAL_TRANSPORT") {
      names = [environment]
      door = "PABAL_TRANSPORT"
    }
    let isGiven = !names.isEmpty
    names = names.flatMap { $0.split(separator: ",").map { String($0).trimmed } }.filter { !$0.isEmpty }
    guard !isGiven || !names.isEmpty else {
      throw Failure(.usage, "\(door) names no transport", cure: "`pabal transports` lists them")
    }
    do throws(Diagnostics) {
      return try configuration.transports(overriding: isGiven ? names : nil)
    } catch {
      throw Failure(
        .configuration,
        error.all.map { problem in
          var problem = problem
          // The file is right; what was said for this run is not.
          if isGiven { (problem.file, problem.path) = (nil, door) }
          return problem
        })
    }
  }

  /// The sender of what Pabal itself writes.
  func sender(_ given: String?) throws(Failure) -> Mailbox {
    if let given {
      do throws(MailProblem) {
        return try Mailbox(given)
      } catch {
        throw Failure(.input, "--from: \(error.what)", cure: error.cure)
      }
    }
    do throws(Diagnostic) {
      return try configuration.sender()
    } catch {
      throw Failure(.configuration, [error])
    }
  }
}

/// A variable of the environment; an empty one counts as unset.
func environmentVariable(_ name: String) -> String? {
  guard let value = getenv(name).map({ String(cString: $0) }), !value.isEmpty else { return nil }
  return value
}
