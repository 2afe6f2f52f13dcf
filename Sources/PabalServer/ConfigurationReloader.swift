import Dispatch
import Glibc
import PabalCommand
import PabalCore
import Synchronization

/// Goes on with what `config.json` says after an edit, or after SIGHUP.
final class ConfigurationReloader: Sendable {
  private let runtime: ServeRuntime
  private let log: ServeLog
  private let isRequested = Mutex(false)
  private let hangupSource: Mutex<any DispatchSourceSignal>

  /// How often the file is looked at.
  static let interval = Duration.milliseconds(250)

  init(_ runtime: ServeRuntime) {
    self.runtime = runtime
    log = runtime.log
    signal(SIGHUP, SIG_IGN)
    hangupSource = Mutex(
      DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "hang-up")))
    hangupSource.withLock { hangupSource in
      hangupSource.setEventHandler { [weak self] in self?.isRequested.withLock { $0 = true } }
      hangupSource.resume()
    }
  }

  /// Looks at the file until the task is cancelled.
  func run() -> Task<Void, Never> {
    Task.detached {
      // Fetching secrets blocks.
      let threads = WorkerThreads(count: 1)
      defer { threads.stop() }
      var changeDetector = FileChangeDetector(self.runtime.initialConfiguration.file)
      while !Task.isCancelled {
        let previousDetector = changeDetector
        let (next, change) = await threads.run { self.checkForChanges(previousDetector) }
        changeDetector = next
        if let change {
          await self.runtime.dispatcher.adopt(
            self.runtime.snapshot.context.options, routeHasChanged: change == .route)
        }
        try? await Task.sleep(for: ConfigurationReloader.interval)
      }
    }
  }

  /// What was replaced.
  private enum Change {
    case route, others
  }

  /// Does what there is to do; says what was replaced.
  private func checkForChanges(_ changeDetector: FileChangeDetector) -> (FileChangeDetector, Change?) {
    var changeDetector = changeDetector
    let isRequested = isRequested.withLock { exchange(&$0, with: false) }
    guard changeDetector.hasChanged() || isRequested else { return (changeDetector, nil) }
    do throws(CommandError) {
      let change = try apply(isRequested: isRequested)
      changeDetector.markHandled()
      return (changeDetector, change)
    } catch {
      // Half of a file is no file yet.
      guard changeDetector.isStable || isRequested else { return (changeDetector, nil) }
      changeDetector.markHandled()
      // Who asks by SIGHUP is answered, even with what was told before.
      guard runtime.health.report(error.diagnostics) || isRequested else { return (changeDetector, nil) }
      for diagnostic in error.diagnostics { log.report("reload failed", diagnostic) }
      return (changeDetector, nil)
    }
  }

  private func apply(isRequested: Bool) throws(CommandError) -> Change? {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes = try readFile(runtime.initialConfiguration.file, atMost: Configuration.sizeLimit)
    } catch {
      throw CommandError(.configuration, [error.diagnostic])
    }
    guard isRequested || bytes != runtime.snapshot.context.configuration.bytes else {
      if runtime.health.markCurrent(restart: nil) { log.write("configuration mended") }
      return nil
    }
    let (restart, routeChanged) = try runtime.replace(by: bytes)
    if runtime.health.markCurrent(restart: restart) { log.write("configuration mended") }
    log.write("reloaded", ("route", runtime.snapshot.route.names.joined(separator: ",")))
    for key in restart { log.write("restart needed", ("path", key)) }
    return routeChanged ? .route : .others
  }
}

/// Tells whether a file changed: written in place, renamed over, or exchanged with a folder that a link names.
struct FileChangeDetector: Sendable {
  /// What tells a file from what it was before.
  private struct FileState: Hashable {
    let device: UInt
    let inode: UInt
    let size: Int
    let times: [Int]

    init?(_ path: String) {
      var facts = stat()
      guard stat(path, &facts) == 0 else { return nil }
      device = UInt(facts.st_dev)
      inode = UInt(facts.st_ino)
      size = Int(facts.st_size)
      times = [facts.st_mtim, facts.st_ctim].flatMap { [$0.tv_sec, $0.tv_nsec] }
    }
  }

  private let path: String
  private var latest: FileState?
  private var handled: FileState??

  /// Watches the file at `path`; the first look finds it changed.
  init(_ path: String) { self.path = path }

  /// Looks at the file; says whether it changed since it was settled.
  mutating func hasChanged() -> Bool {
    let state = FileState(path)
    isStable = state == latest
    latest = state
    return handled != .some(state)
  }

  /// Whether the last two looks found the same: whoever writes it has come to an end.
  private(set) var isStable = false

  /// What the last look found is done with.
  mutating func markHandled() { handled = .some(latest) }
}
