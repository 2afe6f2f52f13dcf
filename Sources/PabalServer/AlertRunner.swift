import Dispatch
import PabalCommand
import PabalCore

/// Runs the command that `serve.alert` names, when mail stops leaving.
struct AlertRunner: Sendable {
  private let command: @Sendable () -> AlertCommand?
  private let log: ServeLog
  // One after the other, and none of them in the dispatcher's way.
  private let queue = DispatchQueue(label: "alarm")

  /// `command` is asked for at each event.
  init(_ log: ServeLog, _ command: @escaping @Sendable () -> AlertCommand?) {
    self.command = command
    self.log = log
  }

  /// Alerts somebody where the event asks for it.
  func handle(_ event: DispatcherEvent) {
    switch event {
    case .held(let transport, _): run("held", transport)
    case .codesDelayed(let since): run("waiting", "\((Timestamp.now() - since).components.seconds)")
    case .attempted, .paced, .settled, .restored, .expedited, .lost, .unreadable, .unsettled, .storage: break
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
