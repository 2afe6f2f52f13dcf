import PabalHTTP
import PabalSubmission
import Synchronization

/// The metrics of the SMTP listeners and the drop directory.
final class SubmissionMetrics: Sendable {
  private struct Submission: Hashable {
    let door: SubmissionDoor
    let result: String
  }

  private let submissions = LabelledCounter<Submission>()
  private let mails = LabelledCounter<String>()
  private let loginFailures = LabelledCounter<String>()
  // Clients choose their addresses.
  private let submitters = LabelLimiter(1_000)
  private let server = Mutex<SubmissionServer?>(nil)

  /// Sets the listeners whose connections are counted.
  func setServer(_ server: SubmissionServer?) { self.server.withLock { $0 = server } }

  /// Counts an event of the listeners or the drop directory.
  func handle(_ event: SubmissionEvent) {
    switch event {
    case .submitted(_, let submitter, let door, _, _):
      submissions.add(Submission(door: door, result: "queued"))
      mails.add(submitters.value(submitter.description))
    case .refused(_, let door, let code, _):
      submissions.add(Submission(door: door, result: code < 500 ? "deferred" : "rejected"))
    case .loginFailed: loginFailures.add("failed")
    case .loginsLimited: loginFailures.add("limited")
    case .crowded, .handshakeFailed: break
    }
  }

  /// Adds the metrics, if there are listeners.
  func add(to text: inout MetricsText) {
    guard let server = server.withLock({ $0 }) else { return }
    text.counter(
      "pabal_submissions_total", "Mails submitted by SMTP or sendmail.", submissions,
      zero: SubmissionDoor.allCases.flatMap { door in
        ["queued", "deferred", "rejected"].map { Submission(door: door, result: $0) }
      }
    ) { [("door", $0.door.rawValue), ("result", $0.result)] }
    text.counter(
      "pabal_submitted_mails_total", "Queued mails by who submitted them; other beyond 1,000 submitters.",
      mails
    ) { [("submitter", $0)] }
    text.counter(
      "pabal_submission_login_failures_total", "Failed logins of SMTP clients, and refusals after too many.",
      loginFailures, zero: ["failed", "limited"]
    ) { [("reason", $0)] }
    text.gauge(
      "pabal_submission_connections", "Open connections of SMTP clients.",
      [([], Double(server.connectionCount))])
  }
}
