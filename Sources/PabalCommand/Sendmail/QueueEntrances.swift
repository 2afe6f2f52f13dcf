import Glibc
import PabalCore

/// The ways into the queue, tried in order: the socket of `pabal serve`, its drop directory, the outbox itself.
package struct QueueEntrances {
  /// Queues a mail in the outbox of the configuration, as the owner of its database. The text says why the other ways
  /// failed.
  package typealias OutboxEntrance = (OutgoingMail, String) throws(CommandError) -> Void

  /// How a submission ended.
  package enum Result {
    /// The mail is durable.
    case queued(id: String)
    /// The service refused the mail.
    case refused(ServiceReply, CommandError)
    /// The mail isn't queued, or it isn't known whether it is.
    case failed(CommandError)
  }

  private let arguments: SendmailArguments
  private let outbox: OutboxEntrance

  /// The ways that `arguments` name; `outbox` is the last one.
  package init(_ arguments: SendmailArguments, outbox: @escaping OutboxEntrance) {
    self.arguments = arguments
    self.outbox = outbox
  }

  /// Queues the mail by the first way that takes it; blocks until it is durable.
  package func submit(_ mail: OutgoingMail) -> Result {
    let socket = "the socket \(printable(arguments.socket))"
    let client = SubmissionClient(path: arguments.socket)
    switch client.submit(mail) {
    case .queued(let id): return .queued(id: id)
    case .refused(let reply, let command, let recipients):
      let refusal = Self.error(reply, command, about: recipients)
      guard reply.isTemporary else { return .refused(reply, refusal) }
      // The service is short of something; it takes the mail from the drop directory when it can.
      guard mail.refusal(limits) == nil else { return .refused(reply, refusal) }
      do throws(DropWriter.Failure) {
        try drop(mail)
        return .queued(id: mail.id)
      } catch {
        return .refused(reply, refusal)
      }
    case .failed(let reason): return submitWithoutService(mail, "\(socket) \(reason)")
    case .lost(let reason, let isRepeatable):
      let isUncertain = "\(socket): the connection failed before the service answered (\(reason))"
      guard isRepeatable else { return Self.uncertain(isUncertain) }
      // Under the same id, the mail is queued once even if the service has it already.
      switch client.submit(mail) {
      case .queued(let id): return .queued(id: id)
      case .refused(let reply, let command, let recipients) where !reply.isTemporary:
        return .refused(reply, Self.error(reply, command, about: recipients))
      case .refused, .failed, .lost:
        if case .queued(let id) = submitWithoutService(mail, "\(socket) \(reason)") { return .queued(id: id) }
        return Self.uncertain(isUncertain)
      }
    }
  }

  /// The result of a mail that the service may have queued.
  private static func uncertain(_ reason: String) -> Result {
    .failed(
      CommandError(
        .deferred, reason,
        remedy: "the mail may be queued: look for it with `pabal outbox list` before you send it again"))
  }

  /// The limits of the service, as it publishes them in its drop directory; otherwise the default ones.
  private var limits: PublishedLimits { PublishedLimits.published(in: arguments.drop) ?? PublishedLimits() }

  private func submitWithoutService(_ mail: OutgoingMail, _ failure: String) -> Result {
    // What the service certainly refuses must not vanish in a directory that the sender can't read.
    if let error = mail.refusal(limits) { return .failed(error) }
    do throws(DropWriter.Failure) {
      try drop(mail)
      return .queued(id: mail.id)
    } catch {
      do throws(CommandError) {
        try outbox(mail, "\(failure); the drop directory \(printable(arguments.drop)) \(error.reason)")
        return .queued(id: mail.id)
      } catch {
        return .failed(error)
      }
    }
  }

  private func drop(_ mail: OutgoingMail) throws(DropWriter.Failure) {
    try DropWriter(path: arguments.drop).write(mail.batch, id: mail.id)
  }

  /// The error that the mail couldn't be queued by any way.
  package static func notQueued(_ failures: String, _ status: ExitStatus = .deferred) -> CommandError {
    CommandError(
      status, "mail not queued: \(failures)",
      remedy: "start `pabal serve` with serve.submission, or create the drop directory")
  }

  private static func error(
    _ reply: ServiceReply, _ command: SubmissionClient.Command, about recipients: [Address]
  ) -> CommandError {
    // The whole list would be longer than a line of a log.
    let names = recipients.prefix(5).map(\.description).joined(separator: ", ")
    let more = recipients.count > 5 ? " and \(recipients.count - 5) more" : ""
    let subject = recipients.isEmpty ? "mail" : names + more
    let remedy =
      if reply.isTemporary {
        "nothing was sent; send it again later"
      } else if recipients.isEmpty {
        "nothing was sent"
      } else {
        "nothing was sent to anyone; correct these recipients or leave them out"
      }
    return CommandError(
      reply.exitStatus(after: command), "\(subject): refused: \(reply.text)", remedy: remedy)
  }
}
