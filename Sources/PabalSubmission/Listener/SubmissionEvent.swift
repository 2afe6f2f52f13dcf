package import PabalCore

/// The way by which a mail was submitted, for the log and the metrics.
package enum SubmissionDoor: String, Sendable, Hashable, CaseIterable {
  /// SMTP over TCP.
  case smtp = "smtp"
  /// SMTP over the Unix socket, as `pabal sendmail` speaks it.
  case socket = "socket"
  /// The drop directory of `pabal sendmail`.
  case drop = "drop"
}

/// An event of the SMTP listeners, for the log and the metrics. It contains no mail address and no password.
package enum SubmissionEvent: Sendable {
  /// A mail is in the outbox.
  case submitted(id: String, submitter: Submitter, door: SubmissionDoor, recipients: Int, bytes: Int)
  /// A mail wasn't stored, with the reply's codes.
  case refused(submitter: Submitter, door: SubmissionDoor, code: Int, status: String?)
  /// A login failed. `user` is printable and short.
  case loginFailed(address: String, user: String)
  /// An address has failed to log in too often, and is refused for now.
  case loginsLimited(address: String)
  /// A connection was closed because there are too many.
  case crowded(address: String)
  /// A TLS handshake failed.
  case handshakeFailed(address: String)
}
