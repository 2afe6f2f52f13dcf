import PabalCommand
import PabalCore
import Synchronization

/// What a running `pabal serve` works with; what an edit of `config.json` changes is replaced in one step.
final class Served: Sendable {
  let storage: StoragePart
  let dispatcher: Dispatcher
  let log: ServeLog
  /// How the configuration is.
  let health = ConfigurationHealth()
  /// Where the HTTP service listens, whatever the file says by now.
  let listen: ListenAddress?
  /// The configuration it was started with.
  let first: Configuration
  // The transports that were named for this run.
  private let names: [String]
  private let isDemo: Bool
  private let current: Current
  private let freshness: Mutex<Task<Void, Never>>

  /// The parts of `assembly`, the route over the transports called `names` where there are any; `isDemo` with the
  /// page to try it out.
  ///
  /// `report` is told of what the dispatcher does.
  init(
    _ assembly: Assembly, _ names: [String], isDemo: Bool, _ log: ServeLog,
    report: @escaping @Sendable (DispatcherEvent) -> Void
  ) throws(Failure) {
    let transports = try assembly.checked(try assembly.transports(names))
    storage = try assembly.storage()
    let current = Current()
    let alarm = Alarm(log) { current.parts.assembly.configuration.serve.alert }
    dispatcher = Dispatcher(
      storage.outbox, sealing: storage.keys, rules: assembly.rules,
      report: { event in
        log.write(event)
        alarm.heed(event)
        report(event)
      }, route: { current.parts.stops })
    first = assembly.configuration
    listen = first.serve.listen
    self.isDemo = isDemo
    guard !isDemo || listen != nil else {
      throw Failure(
        .configuration, "--demo needs an address to listen on",
        cure: "add \"serve\": {\"listen\": \"127.0.0.1:8025\", \"keyless\": true} to config.json")
    }
    let parts = try ServedParts(
      assembly, transports, (storage, dispatcher), listen: listen, isDemo: isDemo, log: log)
    current.replace(by: parts)
    self.current = current
    self.names = names
    self.log = log
    freshness = Mutex(keepFresh(parts.sources, log))
  }

  /// The parts that hold now.
  var parts: ServedParts { current.parts }

  /// Goes on with what `octets` say from now on; where anything of it is wrong, all stays as it is. Blocks.
  ///
  /// Gives what would take a restart, the keys that changed and hold as they were; and whether mail takes another route.
  func replace(by octets: [UInt8]) throws(Failure) -> (restart: [String], isRerouted: Bool) {
    let earlier = parts
    let assembly = try earlier.assembly.anew(octets)
    let transports = try assembly.checked(try assembly.transports(names))
    let parts = try ServedParts(
      assembly, transports, (storage, dispatcher), listen: listen, isDemo: isDemo, log: log, earlier: earlier)
    current.replace(by: parts)
    freshness.withLock { task in
      task.cancel()
      task = keepFresh(parts.sources, log)
    }
    return (first.needsRestart(for: assembly.configuration), !parts.hasSameRoute(as: earlier))
  }

  /// Stops keeping tokens fresh and closes the transports and the store; the dispatcher has ended before.
  func close() {
    freshness.withLock { $0.cancel() }
    parts.route.close()
    storage.database.close()
  }

  /// The parts, once the first are made.
  private final class Current: Sendable {
    private let held = Mutex<ServedParts?>(nil)

    var parts: ServedParts {
      guard let parts = held.withLock({ $0 }) else { preconditionFailure("the first parts are made in init") }
      return parts
    }

    func replace(by parts: ServedParts) {
      // What it takes the place of may end with it, and not under the lock.
      let earlier = held.withLock { held in
        defer { held = parts }
        return held
      }
      withExtendedLifetime(earlier) {}
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
