import Dispatch
import PabalCommand
import PabalCore

/// Runs the `serve.alert` command when mail stops leaving.
struct AlertRunner: Sendable {
  private let command: @Sendable () -> AlertCommand?
  private let log: ServeLog
  // A serial queue: alerts don't overlap, and the dispatcher doesn't wait for them.
  private let queue = DispatchQueue(label: "alarm")

  /// Creates a runner; `command` is called for each event, because a reload may change the command.
  init(_ log: ServeLog, _ command: @escaping @Sendable () -> AlertCommand?) {
    self.command = command
    self.log = log
  }

  /// Runs the command if the event calls for an alert.
  func handle(_ event: DispatcherEvent) {
    switch event {
    case .held(let transport, _): run("held", transport)
    case .codesDelayed(let since): run("waiting", "\((Timestamp.now() - since).components.seconds)")
    case .attempted, .paced, .settled, .suppressed, .paused, .restored, .expedited, .routeMissing, .lost,
      .reported,
      .unreadable, .unsettled, .storage:
      break
    }
  }

  private func run(_ event: String, _ detail: String) {
    guard let command = command() else { return }
    queue.async {
      do throws(Diagnostic) {
        try command.run(event, detail)
        log.write("alerted", ("alert", event), ("about", detail))
      } catch {
        log.write("alert failed", ("alert", event), ("about", detail), ("problem", error.description))
      }
    }
  }
}
