internal import PabalCore

/// What all connections share.
final class ListenerState: Sendable {
  let connections = SubmissionConnections()
  let budget = ContentBudget()
  let reports = ReportLimiter()
  let space: FreeSpaceGuard
  let passwords: PasswordVerifier
  let times: ConnectionTimes
  let report: @Sendable (SubmissionEvent) -> Void
  let settings: @Sendable (SubmissionEndpoint) -> ListenerSettings?

  init(
    space: FreeSpaceGuard, passwords: PasswordVerifier, times: ConnectionTimes,
    report: @escaping @Sendable (SubmissionEvent) -> Void,
    settings: @escaping @Sendable (SubmissionEndpoint) -> ListenerSettings?
  ) {
    self.space = space
    self.passwords = passwords
    self.times = times
    self.report = report
    self.settings = settings
  }

  /// Checks a login of a client, whose limits are those of `key`, and reports a failure.
  func logIn(
    _ credentials: SMTPCredentials, _ peer: SMTPPeer, key: String, _ configuration: SubmissionConfiguration
  ) async -> SMTPAuthenticationResult {
    let result = await passwords.verify(
      credentials, users: configuration.users, address: key, limit: configuration.limits.logins)
    let address = peer.address ?? "local"
    switch result.answer {
    case .rejected:
      report(.loginFailed(address: address, user: String(printable(credentials.user).prefix(64))))
    case .limited where result.reachedLimit: report(.loginsLimited(address: address))
    case .limited, .accepted: break
    }
    return result.answer
  }

  /// Stores a mail whose memory is `hold`, frees that, and reports the result.
  func store(
    _ submission: SMTPSubmission, _ hold: ArrivingContent.Hold, at endpoint: SubmissionEndpoint,
    _ settings: ListenerSettings
  ) async -> SMTPSubmissionResult {
    let result = await settings.submit(submission)
    switch result {
    case .queued(let id):
      report(
        .submitted(
          id: id, submitter: submission.submitter, door: endpoint.door,
          recipients: submission.recipients.count, bytes: submission.bytes.count))
    case .refused(let reply): reportRefusal(submission.submitter, at: endpoint, reply)
    }
    budget.release(hold)
    return result
  }

  /// Reports a mail that wasn't stored.
  func reportRefusal(_ submitter: Submitter, at endpoint: SubmissionEndpoint, _ reply: SMTPReply) {
    report(.refused(submitter: submitter, door: endpoint.door, code: reply.code, status: reply.status))
  }

  /// Returns the reply that MAIL of a client gets now; `nil` if it is accepted. A reload of the settings and the disk decide.
  func mailRefusal(
    _ submitter: Submitter?, _ proof: ClientProof, at endpoint: SubmissionEndpoint
  ) -> SMTPReply? {
    guard let settings = settings(endpoint) else { return nil }
    if let submitter, !proof.admits(submitter, settings) {
      return SMTPReply(530, "5.7.0", "this connection may not send mail any more")
    }
    return space.hasRoom(settings.configuration.limits.freeSpace) ? nil : FreeSpaceGuard.fullReply
  }
}
