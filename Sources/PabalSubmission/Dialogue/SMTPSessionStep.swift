extension SMTPSession {
  /// What the driver has to do next, after it has written the output.
  package enum Step {
    /// Append more input.
    case read
    /// Judge a user name and a password, then call ``authenticated(_:)``.
    case authenticate(SMTPCredentials)
    /// Begin TLS, then call ``startedTLS(submitter:)``. Input that arrived before is gone.
    case startTLS
    /// Queue a mail, then call ``submitted(_:)``.
    case submit(SMTPSubmission)
    /// Close the connection.
    case close
  }
}
