import Dispatch
import Glibc
import PabalCommand
import PabalCore
import Synchronization

/// Goes on with what `config.json` says after an edit, or after SIGHUP.
final class Reload: Sendable {
  private let served: Served
  private let log: ServeLog
  private let isAsked = Mutex(false)
  private let hangUp: Mutex<any DispatchSourceSignal>

  /// How often the file is looked at.
  static let interval = Duration.milliseconds(250)

  init(_ served: Served) {
    self.served = served
    log = served.log
    signal(SIGHUP, SIG_IGN)
    hangUp = Mutex(DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "hang-up")))
    hangUp.withLock { hangUp in
      hangUp.setEventHandler { [weak self] in self?.isAsked.withLock { $0 = true } }
      hangUp.resume()
    }
  }

  /// Looks at the file until the task is cancelled.
  func run() -> Task<Void, Never> {
    Task.detached {
      // Fetching secrets blocks.
      let threads = WorkerThreads(count: 1)
      defer { threads.stop() }
      var watch = ConfigurationWatch(self.served.first.file)
      while !Task.isCancelled {
        let looked = watch
        let (next, change) = await threads.run { self.look(looked) }
        watch = next
        if let change {
          await self.served.dispatcher.adopt(
            self.served.parts.assembly.rules, routeHasChanged: change == .route)
        }
        try? await Task.sleep(for: Reload.interval)
      }
    }
  }

  /// What was replaced.
  private enum Change {
    case route, others
  }

  /// Does what there is to do; says what was replaced.
  private func look(_ watch: ConfigurationWatch) -> (ConfigurationWatch, Change?) {
    var watch = watch
    let isAsked = isAsked.withLock { exchange(&$0, with: false) }
    guard watch.hasChanged() || isAsked else { return (watch, nil) }
    do throws(Failure) {
      let change = try take(isAsked: isAsked)
      watch.settle()
      return (watch, change)
    } catch {
      // Half of a file is no file yet.
      guard watch.isStill || isAsked else { return (watch, nil) }
      watch.settle()
      // Who asks by SIGHUP is answered, even with what was told before.
      guard served.health.complain(error.diagnostics) || isAsked else { return (watch, nil) }
      for diagnostic in error.diagnostics { log.tell("reload failed", diagnostic) }
      return (watch, nil)
    }
  }

  private func take(isAsked: Bool) throws(Failure) -> Change? {
    let octets: [UInt8]
    do throws(FileProblem) {
      octets = try readFile(served.first.file, atMost: Configuration.sizeLimit)
    } catch {
      throw Failure(.configuration, [error.diagnostic])
    }
    guard isAsked || octets != served.parts.assembly.configuration.octets else {
      if served.health.mend(restart: nil) { log.write("configuration mended") }
      return nil
    }
    let (restart, isRerouted) = try served.replace(by: octets)
    if served.health.mend(restart: restart) { log.write("configuration mended") }
    log.write("reloaded", ("route", served.parts.route.names.joined(separator: ",")))
    for key in restart { log.write("restart needed", ("path", key)) }
    return isRerouted ? .route : .others
  }
}
