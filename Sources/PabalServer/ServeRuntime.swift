import PabalAccounts
import PabalCommand
import PabalCore
import Synchronization

/// What a running `pabal serve` works with; what an edit of `config.json` changes is replaced in one step.
final class ServeRuntime: Sendable {
  let storage: OpenStorage
  let dispatcher: Dispatcher
  let log: ServeLog
  /// How the configuration is.
  let health = ConfigurationHealth()
  /// Where the HTTP service listens, whatever the file says by now.
  let listen: ListenAddress?
  /// The configuration it was started with.
  let initialConfiguration: Configuration
  // The transports that were named for this run.
  private let transportNames: [String]
  private let isDemo: Bool
  private let snapshotBox: SnapshotBox
  private let tokenRefresh: Mutex<Task<Void, Never>>

  /// The parts of `context`, the route over the transports called `transportNames` where there are any; `isDemo` with the
  /// page to try it out.
  ///
  /// `report` is told of what the dispatcher does.
  init(
    _ context: CommandContext, _ transportNames: [String], isDemo: Bool, _ log: ServeLog,
    report: @escaping @Sendable (DispatcherEvent) -> Void
  ) throws(CommandError) {
    let transports = try context.checked(try context.transports(transportNames))
    storage = try context.storage()
    let snapshotBox = SnapshotBox()
    let alertRunner = AlertRunner(log) { snapshotBox.snapshot.context.configuration.serve.alert }
    dispatcher = Dispatcher(
      storage.outbox, sealing: storage.keys, options: context.options,
      report: { event in
        log.write(event)
        alertRunner.handle(event)
        report(event)
      }, route: { snapshotBox.snapshot.dispatchTransports })
    initialConfiguration = context.configuration
    listen = initialConfiguration.serve.listen
    self.isDemo = isDemo
    guard !isDemo || listen != nil else {
      throw CommandError(
        .configuration, "--demo needs an address to listen on",
        remedy: "add \"serve\": {\"listen\": \"127.0.0.1:8025\", \"keyless\": true} to config.json")
    }
    let snapshot = try RuntimeSnapshot(
      context, transports, (storage, dispatcher), listen: listen, isDemo: isDemo, log: log)
    snapshotBox.replace(by: snapshot)
    self.snapshotBox = snapshotBox
    self.transportNames = transportNames
    self.log = log
    tokenRefresh = Mutex(startTokenRefresh(snapshot.tokenSources, log))
  }

  /// The parts that hold now.
  var snapshot: RuntimeSnapshot { snapshotBox.snapshot }

  /// Goes on with what `bytes` say from now on; where anything of it is wrong, all stays as it is. Blocks.
  ///
  /// Gives what would take a restart, the keys that changed and hold as they were; and whether mail takes another route.
  func replace(by bytes: [UInt8]) throws(CommandError) -> (restart: [String], routeChanged: Bool) {
    let previous = snapshot
    let context = try previous.context.reloaded(bytes)
    let transports = try context.checked(try context.transports(transportNames))
    let snapshot = try RuntimeSnapshot(
      context, transports, (storage, dispatcher), listen: listen, isDemo: isDemo, log: log, previous: previous
    )
    snapshotBox.replace(by: snapshot)
    tokenRefresh.withLock { task in
      task.cancel()
      task = startTokenRefresh(snapshot.tokenSources, log)
    }
    return (
      initialConfiguration.needsRestart(for: context.configuration), !snapshot.hasSameRoute(as: previous)
    )
  }

  /// Stops keeping tokens fresh and closes the transports and the store; the dispatcher has ended before.
  func close() {
    tokenRefresh.withLock { $0.cancel() }
    snapshot.route.close()
    storage.database.close()
  }

  /// The parts, once the first are made.
  private final class SnapshotBox: Sendable {
    private let value = Mutex<RuntimeSnapshot?>(nil)

    var snapshot: RuntimeSnapshot {
      guard let snapshot = value.withLock({ $0 }) else {
        preconditionFailure("the first parts are made in init")
      }
      return snapshot
    }

    func replace(by snapshot: RuntimeSnapshot) {
      // What it takes the place of may end with it, and not under the lock.
      let previous = value.withLock { value in
        defer { value = snapshot }
        return value
      }
      withExtendedLifetime(previous) {}
    }
  }
}

extension Configuration {
  /// The keys of `other` that differ and can't change while a service runs.
  fileprivate func needsRestart(for other: Configuration) -> [String] {
    var keys: [String] = []
    if serve.listen != other.serve.listen { keys.append("serve.listen") }
    if storage.path != other.storage.path { keys.append("storage") }
    if !self.keys.isSame(as: other.keys) { keys.append("keys") }
    if other.serve.isKeyless, !(serve.listen?.isLoopback ?? true) { keys.append("serve.keyless") }
    return keys
  }
}

extension CommandContext {
  /// The accounts that `transports` use; where a secret can't be had, the transport tells. May block.
  func tokenSources(_ transports: [CheckedTransport]) -> [any AccessTokenSource] {
    let names = Set(transports.flatMap { $0.settings.compactMap(\.account) })
    return names.sorted().compactMap { try? account($0) }
  }
}

/// Keeps the tokens of accounts fresh, so that no mail waits for one, until the task is cancelled.
func startTokenRefresh(_ tokenSources: [any AccessTokenSource], _ log: ServeLog) -> Task<Void, Never> {
  Task.detached {
    await TokenRefresher(tokenSources) { line in log.write("account", ("about", line)) }.run()
  }
}
