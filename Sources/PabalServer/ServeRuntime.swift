import PabalAccounts
import PabalCommand
import PabalCore
import PabalSubmission
import Synchronization

/// The state of a running `pabal serve`. What an edit of `config.json` can change is replaced in one step.
final class ServeRuntime: Sendable {
  let storage: OpenStorage
  let dispatcher: Dispatcher
  let log: ServeLog
  /// Whether the configuration in use is current.
  let health = ConfigurationHealth()
  /// The address that the HTTP server listens on; later edits of the file don't change it.
  let listen: ListenAddress?
  /// The configuration that the process was started with.
  let initialConfiguration: Configuration
  // The transports named on the command line, which replace those of all routes.
  private let transportNames: [String]
  private let isDemo: Bool
  /// Checks the passwords of `serve.submission`.
  let passwords = PasswordVerifier()
  private let snapshotBox: SnapshotBox
  private let tokenRefresh: Mutex<Task<Void, Never>>

  /// Opens the storage and the transports of `context`.
  ///
  /// - Parameters:
  ///   - transportNames: The transports of all routes, in order; if empty, those of the configuration.
  ///   - isDemo: Whether to serve the demo page.
  ///   - report: Called with each event of the dispatcher.
  init(
    _ context: CommandContext, _ transportNames: [String], isDemo: Bool, _ log: ServeLog,
    report: @escaping @Sendable (DispatcherEvent) -> Void
  ) throws(CommandError) {
    let routes = try context.checkedRoutes(transportNames)
    storage = try context.storage()
    let snapshotBox = SnapshotBox()
    let alertRunner = AlertRunner(log) { snapshotBox.snapshot.context.configuration.serve.alert }
    dispatcher = Dispatcher(
      storage.outbox, sealing: storage.keys, options: context.options(for: routes.transports),
      dependencies: storage.dispatcherDependencies { snapshotBox.snapshot.context.configuration },
      report: { event in
        log.write(event)
        alertRunner.handle(event)
        report(event)
      }, routes: { snapshotBox.snapshot.dispatchRoutes })
    storage.database.listen { [dispatcher] in dispatcher.wake() }
    initialConfiguration = context.configuration
    listen = initialConfiguration.serve.listen
    self.isDemo = isDemo
    guard !isDemo || listen != nil else {
      throw CommandError(
        .configuration, "--demo: no address to listen on",
        remedy: "add \"serve\": {\"listen\": \"127.0.0.1:8025\", \"keyless\": true} to config.json")
    }
    let snapshot = try RuntimeSnapshot(
      context, routes, (storage, dispatcher), listen: listen, isDemo: isDemo, log: log)
    snapshotBox.replace(by: snapshot)
    self.snapshotBox = snapshotBox
    self.transportNames = transportNames
    self.log = log
    tokenRefresh = Mutex(startTokenRefresh(snapshot.tokenSources, log))
  }

  /// The snapshot in use.
  var snapshot: RuntimeSnapshot { snapshotBox.snapshot }

  /// Replaces the snapshot by that of the changed configuration file. Changes nothing if it throws. Blocks.
  ///
  /// Returns the changed keys that need a restart to take effect, and whether a route has changed.
  func replace(by file: ConfigurationFile) throws(CommandError) -> (restart: [String], routeChanged: Bool) {
    let previous = snapshot
    let context = try previous.context.reloaded(file)
    let routes = try context.checkedRoutes(transportNames)
    let snapshot = try RuntimeSnapshot(
      context, routes, (storage, dispatcher), listen: listen, isDemo: isDemo, log: log, previous: previous
    )
    snapshotBox.replace(by: snapshot)
    passwords.clear()
    tokenRefresh.withLock { task in
      task.cancel()
      task = startTokenRefresh(snapshot.tokenSources, log)
    }
    return (
      initialConfiguration.needsRestart(for: context.configuration), !snapshot.hasSameRoute(as: previous)
    )
  }

  /// Holds the transports that couldn't be opened. At the start, the next mail probes the others that an
  /// earlier run held, because a restart follows a correction.
  func applyOpening(isStart: Bool) async {
    let snapshot = snapshot
    let unopened = snapshot.unopened.map(\.name)
    if isStart { await dispatcher.probeHeld(snapshot.route.names.filter { !unopened.contains($0) }) }
    for (name, problem) in snapshot.unopened { await dispatcher.hold(name, cause: problem.cause) }
  }

  /// Stops renewing tokens, stores those whose renewal was already requested, and closes the transports and the database.
  /// The dispatcher must have ended.
  func close() {
    tokenRefresh.withLock { $0.cancel() }
    TerminationDelay.finish()
    for case let account as OAuthAccount in snapshot.tokenSources { account.storeUnwritten() }
    snapshot.route.close()
    storage.database.close()
  }

  /// Holds the snapshot; empty until the first one has been created.
  private final class SnapshotBox: Sendable {
    private let value = Mutex<RuntimeSnapshot?>(nil)

    var snapshot: RuntimeSnapshot {
      guard let snapshot = value.withLock({ $0 }) else {
        preconditionFailure("the first snapshot is created in init")
      }
      return snapshot
    }

    func replace(by snapshot: RuntimeSnapshot) {
      // Release the old value outside the lock: its deinit may block.
      let previous = value.withLock { value in
        defer { value = snapshot }
        return value
      }
      withExtendedLifetime(previous) {}
    }
  }
}

extension Configuration {
  /// Returns the keys whose values differ in `other` and can't change while the process runs.
  fileprivate func needsRestart(for other: Configuration) -> [String] {
    var keys: [String] = []
    if serve.listen != other.serve.listen { keys.append("serve.listen") }
    if serve.connections != other.serve.connections { keys.append("serve.connections") }
    if serve.submissionEndpoints != other.serve.submissionEndpoints
      || serve.submission.map(\.drop) != other.serve.submission.map(\.drop)
    {
      keys.append("serve.submission")
    }
    if !storage.isSame(as: other.storage) { keys.append("storage") }
    if !self.keys.isSame(as: other.keys) { keys.append("keys") }
    if other.serve.isKeyless, !(serve.listen?.isLoopback ?? true) { keys.append("serve.keyless") }
    return keys
  }
}

extension CommandContext {
  /// Returns the accounts that `transports` use, without those whose secret can't be fetched, which the transport reports.
  /// May block.
  func tokenSources(_ transports: [CheckedTransport]) -> [any AccessTokenSource] {
    var sources: [String: any AccessTokenSource] = [:]
    for transport in transports {
      for setting in transport.settings {
        guard let name = setting.account, let account = try? account(name) else { continue }
        let source = account.source(for: setting.declaration.scopes) { key in
          transport.settings.contains { $0.key == key && $0.isSet }
        }
        sources[(source as? OAuthAccount)?.title ?? name] = source
      }
    }
    return sources.sorted { $0.key < $1.key }.map(\.value)
  }
}

/// Starts a task that renews access tokens before they expire, so that mail doesn't have to wait for them, until it is
/// cancelled.
func startTokenRefresh(_ tokenSources: [any AccessTokenSource], _ log: ServeLog) -> Task<Void, Never> {
  Task.detached {
    await TokenRefresher(tokenSources) { line in log.writeAccount(line) }.run()
  }
}
