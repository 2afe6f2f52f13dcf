import Dispatch
import Glibc
import PabalCommand
import PabalCore
import Synchronization

/// Applies `config.json` again after an edit, or after SIGHUP.
final class ConfigurationReloader: Sendable {
  private let runtime: ServeRuntime
  private let log: ServeLog
  private let certificates: CertificateReloader
  private let isRequested = Mutex(false)
  private let hangupSource: Mutex<any DispatchSourceSignal>

  /// The time between two checks of the file.
  static let interval = Duration.milliseconds(250)

  init(_ runtime: ServeRuntime) {
    self.runtime = runtime
    log = runtime.log
    certificates = CertificateReloader(runtime.log)
    signal(SIGHUP, SIG_IGN)
    hangupSource = Mutex(
      DispatchSource.makeSignalSource(signal: SIGHUP, queue: DispatchQueue(label: "hang-up")))
    hangupSource.withLock { hangupSource in
      hangupSource.setEventHandler { [weak self] in self?.isRequested.withLock { $0 = true } }
      hangupSource.resume()
    }
  }

  /// Starts checking the file, until the task is cancelled.
  func run() -> Task<Void, Never> {
    Task.detached {
      // A thread of its own, because fetching secrets blocks.
      let threads = WorkerThreads(count: 1)
      defer { threads.stop() }
      var changeDetector = FileChangeDetector(self.runtime.initialConfiguration.file)
      while !Task.isCancelled {
        let previousDetector = changeDetector
        let (next, change) = await threads.run { self.checkForChanges(previousDetector) }
        changeDetector = next
        if let change {
          await self.runtime.dispatcher.adopt(
            self.runtime.snapshot.dispatcherOptions, routeHasChanged: change == .route)
          await self.runtime.applyOpening(isStart: false)
        }
        try? await Task.sleep(for: ConfigurationReloader.interval)
      }
    }
  }

  /// What a reload replaced.
  private enum Change {
    case route, others
  }

  /// Reloads if the file has changed or SIGHUP was received; returns what was replaced.
  private func checkForChanges(_ changeDetector: FileChangeDetector) -> (FileChangeDetector, Change?) {
    certificates.check(runtime.snapshot.submission)
    var changeDetector = changeDetector
    let isRequested = isRequested.withLock { exchange(&$0, with: false) }
    guard changeDetector.hasChanged() || isRequested else { return (changeDetector, nil) }
    do throws(CommandError) {
      let change = try apply(isRequested: isRequested)
      changeDetector.markHandled()
      return (changeDetector, change)
    } catch {
      // The file may be half written; it is read again once it no longer changes.
      guard changeDetector.isStable || isRequested else { return (changeDetector, nil) }
      changeDetector.markHandled()
      // A reload by SIGHUP always logs its result, even if the problems are the same as before.
      guard runtime.health.report(error.diagnostics) || isRequested else { return (changeDetector, nil) }
      for diagnostic in error.diagnostics { log.report("reload failed", diagnostic) }
      return (changeDetector, nil)
    }
  }

  private func apply(isRequested: Bool) throws(CommandError) -> Change? {
    let file: ConfigurationFile
    do throws(Diagnostic) {
      file = try ConfigurationFile(runtime.initialConfiguration.file)
    } catch {
      throw CommandError(.configuration, [error])
    }
    guard isRequested || file.bytes != runtime.snapshot.context.configuration.bytes else {
      if runtime.health.markCurrent(restart: nil) { log.write("configuration mended") }
      return nil
    }
    let (restart, routeChanged) = try runtime.replace(by: file)
    if runtime.health.markCurrent(restart: restart) { log.write("configuration mended") }
    for warning in runtime.snapshot.context.configuration.warnings { log.report("warning", warning) }
    log.write("reloaded", runtime.snapshot.table)
    for key in restart { log.write("restart needed", ("path", key)) }
    return routeChanged ? .route : .others
  }
}

/// Detects changes of a file that is rewritten, replaced by a rename, or reached through a symbolic link that changes.
struct FileChangeDetector: Sendable {
  /// The attributes that differ after a change.
  private struct FileState: Hashable {
    let device: UInt
    let inode: UInt
    let size: Int
    let times: [Int]

    init?(_ path: String) {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      device = UInt(status.st_dev)
      inode = UInt(status.st_ino)
      size = Int(status.st_size)
      times = [status.st_mtim, status.st_ctim].flatMap { [$0.tv_sec, $0.tv_nsec] }
    }
  }

  private let path: String
  private var latest: FileState?
  private var handled: FileState??

  /// Creates a detector for the file at `path`; its first check reports a change.
  init(_ path: String) { self.path = path }

  /// Checks the file; returns whether it has changed since `markHandled`.
  mutating func hasChanged() -> Bool {
    let state = FileState(path)
    isStable = state == latest
    latest = state
    return handled != .some(state)
  }

  /// Whether the last two checks found the same, which means that the file isn't being written.
  private(set) var isStable = false

  /// Marks what the last check found as handled.
  mutating func markHandled() { handled = .some(latest) }
}
