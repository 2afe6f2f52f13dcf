package import PabalCore

/// What holds for new connections of a listener. A reload replaces it.
package struct ListenerSettings: Sendable {
  package let configuration: SubmissionConfiguration
  /// For TLS; `nil` if the listener has none.
  package let certificate: ServerCertificate?
  /// The service's name.
  package let hostName: String
  /// Stores a mail.
  package let submit: @Sendable (SMTPSubmission) async -> SMTPSubmissionResult

  /// The limits of a session.
  package var policy: SMTPSessionPolicy {
    var policy = SMTPSessionPolicy()
    policy.hostName = hostName
    policy.maxSize = configuration.limits.size
    policy.maxRecipients = configuration.limits.recipients
    policy.maxErrors = configuration.limits.errors
    policy.maxIdleCommands = configuration.limits.commands
    return policy
  }

  /// The settings of a listener.
  package init(
    _ configuration: SubmissionConfiguration, certificate: ServerCertificate?, hostName: String,
    submit: @escaping @Sendable (SMTPSubmission) async -> SMTPSubmissionResult
  ) {
    self.configuration = configuration
    self.certificate = certificate
    self.hostName = hostName
    self.submit = submit
  }
}
