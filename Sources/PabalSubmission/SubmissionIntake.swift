package import PabalCore

/// Queues submitted mail: finishes it and adds it to the outbox on behalf of its submitter.
package struct SubmissionIntake: Sendable {
  private let outbox: MailSubmission
  /// The service's name.
  package let hostName: String
  let rules: @Sendable (Submitter) -> SenderRules
  let rates: SubmitterRates
  private let aliases: Aliases
  private let hosts: LocalHosts
  let identity: @Sendable () -> MailIdentity
  private let report: @Sendable (StorageError) -> Void
  private let removedSignatures: @Sendable (String, [RemovedSignature]) -> Void
  private let turns = LargeMailTurns()

  /// An intake that adds to `outbox`.
  ///
  /// - Parameters:
  ///   - outbox: Where the mail goes.
  ///   - hostName: The service's name in Received fields.
  ///   - rules: Returns what a submitter may send; by default anything.
  ///   - rates: What submitters have submitted so far.
  ///   - aliases: The addresses that mail to local names goes to.
  ///   - hosts: The names of this machine.
  ///   - identity: Generates the ids and dates of mails.
  ///   - report: Called with each failure of the store, for the log.
  ///   - removedSignatures: Called with the DKIM signatures that were removed from a mail, with its id, for the log.
  package init(
    _ outbox: MailSubmission, hostName: String,
    rules: @escaping @Sendable (Submitter) -> SenderRules = { _ in SenderRules() },
    rates: SubmitterRates = SubmitterRates(), aliases: Aliases = Aliases(), hosts: LocalHosts? = nil,
    identity: @escaping @Sendable () -> MailIdentity = MailIdentity.now,
    report: @escaping @Sendable (StorageError) -> Void = { _ in },
    removedSignatures: @escaping @Sendable (String, [RemovedSignature]) -> Void = { _, _ in }
  ) {
    self.outbox = outbox
    self.hostName = hostName
    self.rules = rules
    self.rates = rates
    self.aliases = aliases
    self.hosts = hosts ?? LocalHosts(host: hostName, mailName: nil)
    self.identity = identity
    self.report = report
    self.removedSignatures = removedSignatures
  }

  /// Queues the mail of a dialogue. It is durable when the result is `queued`.
  package func submit(_ submission: SMTPSubmission) async -> SMTPSubmissionResult {
    await turns.run(size: submission.bytes.count) { await finish(submission) }
  }

  private func finish(_ submission: SMTPSubmission) async -> SMTPSubmissionResult {
    do throws(MailError) {
      return await submit(
        try SubmittedMail(submission.bytes, lineEnds: .crlf), sender: submission.sender,
        recipients: submission.recipients, isInternational: submission.isInternational,
        submitter: submission.submitter,
        received: ReceivedField(
          greeting: submission.trace.greeting, address: submission.trace.address, host: hostName,
          transmission: submission.trace.transmission), id: submission.id,
        report: submission.report)
    } catch {
      return .refused(SMTPReply(error))
    }
  }

  /// Queues a mail, as the commands of the dialogue do.
  ///
  /// - Parameters:
  ///   - mail: The mail as it was submitted.
  ///   - sender: The reverse path; `nil` stands for `<>`.
  ///   - recipients: The recipients; at least one.
  ///   - isInternational: Whether SMTPUTF8 was asked for.
  ///   - authorName: The display name in a From field that is added.
  ///   - submitter: Who submits the mail.
  ///   - received: The Received field; by default that of a local process.
  ///   - id: The id that the mail has already. If the outbox has a mail of the submitter with this id, nothing is added; one
  ///     of another submitter is an error.
  ///   - report: The reports that the client asks for (RFC 3461).
  package func submit(
    _ mail: SubmittedMail, sender: Address?, recipients: [Address], isInternational: Bool = false,
    authorName: String? = nil, submitter: Submitter, received: ReceivedField? = nil, id: String? = nil,
    report parameters: ReportParameters = ReportParameters()
  ) async -> SMTPSubmissionResult {
    guard !mail.isLooping else {
      return .refused(
        SMTPReply(554, "5.4.6", "more than \(ReceivedField.limit) Received fields: a mail loop"))
    }
    let rules = rules(submitter)
    // `sendmail` has completed the envelope in the same domain.
    let domain = received?.address == nil ? hosts.domain : hostName
    do throws(SenderRefusal) {
      try rules.check(envelopeSender: sender)
      try rules.check(mail.header, completing: domain)
    } catch {
      return .refused(SMTPReply(error))
    }
    var changes = SubmittedMail.Changes()
    let rewriting = AddressRewriting(aliases, hosts, completing: domain)
    changes.rewriting = rewriting
    changes.author = rules.forcedSender
    guard
      let envelope = Envelope(
        sender: rules.envelopeSender(sender), recipients: rewriting.recipients(recipients))
    else {
      return .refused(.noValidRecipients)
    }
    let identity = identity()
    let finished: SubmittedMail.Finished
    do throws(MailError) {
      finished = try mail.finish(
        envelope: envelope, received: received ?? ReceivedField(host: hostName),
        isInternational: isInternational,
        authorName: authorName, identity: id.map(identity.withID) ?? identity,
        changes: changes)
    } catch {
      return .refused(SMTPReply(error))
    }
    let reservation: SubmitterRates.Reservation
    do throws(SubmitterRates.Refusal) {
      reservation = try rates.reserve(Set(envelope.recipients).count, of: submitter, rules)
    } catch {
      return .refused(SMTPReply(error))
    }
    let request = sender.map {
      // A report to a local name goes where mail to it goes.
      ReportRequest(
        sender: localAddress(rules.reportAddress(for: $0, isLocal: hosts.isLocal($0))),
        parameters.rewritten(recipients) { rewriting.recipients([$0]) })
    }
    let result = await queue(
      finished, for: submitter, rules, reporting(sender, mail.header, submitter), request)
    if case .refused = result { rates.release(reservation) }
    return result
  }

  private func queue(
    _ finished: SubmittedMail.Finished, for submitter: Submitter, _ rules: SenderRules,
    _ reporting: Reporting,
    _ request: ReportRequest?
  ) async -> SMTPSubmissionResult {
    do throws(MailSubmissionError) {
      let isQueued = try await add(
        finished.mail, of: submitter, lane: rules.lane, reporting: reporting, report: request,
        route: rules.route?.key)
      guard isQueued else { return .refused(.foreignQueueID) }
      if !finished.removedSignatures.isEmpty {
        removedSignatures(finished.mail.id, finished.removedSignatures)
      }
      return .queued(id: finished.mail.id)
    } catch {
      return .refused(SMTPReply(error))
    }
  }

  /// Adds a finished mail to the outbox; returns `false` if its id belongs to the mail of another submitter.
  func add(
    _ mail: Mail, of submitter: Submitter, lane: Lane = .normal, notAfter: Timestamp? = nil,
    reporting: Reporting, report request: ReportRequest? = nil, route: String? = nil
  ) async throws(MailSubmissionError) -> Bool {
    do throws(MailSubmissionError) {
      return try await outbox.acting(for: .submitter(submitter)).addOnce(
        mail, lane: lane, notAfter: notAfter, reporting: reporting, report: request, route: route)
    } catch {
      if case .storage(let error) = error { report(error) }
      throw error
    }
  }

  /// Returns where a report to `address` goes: to its alias, if it is a name of this machine.
  func localAddress(_ address: Address) -> Address { aliases.expand(address, hosts).first ?? address }

  /// Returns whether the sender of a mail gets delivery reports.
  private func reporting(_ sender: Address?, _ header: MailHeader?, _ submitter: Submitter) -> Reporting {
    Reporting(sender: sender, header: header) { rules(submitter).permission(for: $0) != .refused }
  }

  /// Returns whether the sender of a refused mail gets a report. The content may be why it was refused.
  func reporting(_ sender: Address?, _ content: [UInt8], _ submitter: Submitter) -> Reporting {
    reporting(sender, (try? SubmittedMail(content, lineEnds: .any))?.header, submitter)
  }
}

extension SMTPReply {
  /// The reply to a mail with the queue id of somebody else's mail.
  fileprivate static let foreignQueueID = SMTPReply(550, "5.7.1", "the queue id belongs to another mail")

  /// The reply to a mail for which a limit of its submitter has no room.
  package init(_ refusal: SubmitterRates.Refusal) {
    let limit = "\(refusal.limit.count) recipients in \(refusal.limit.window.configurationText)"
    if let wait = refusal.wait {
      let seconds = Duration.seconds(wait.components.seconds + 1)
      self.init(
        450, SMTPReply.limitedStatus,
        "the limit of \(limit) is reached; try again in \(seconds.configurationText)")
    } else {
      self.init(550, "5.7.1", "more recipients than the limit of \(limit); send it in several mails")
    }
  }

  /// The enhanced status code of a reply to a submitter whose limit is reached, which concerns no one else.
  package static let limitedStatus = "4.7.1"

  /// The reply to a mail that can't be finished.
  package init(_ error: MailError) { self.init(550, "5.6.0", error.description) }

  /// The reply to a mail that can't be stored. The client keeps it and tries again, whatever the cause.
  package init(_ error: MailSubmissionError) {
    guard case .storage(let error) = error else {
      self.init(451, "4.3.0", "the mail can't be queued now")
      return
    }
    switch error.kind {
    case .full: self.init(452, "4.3.1", error.reason)
    case .closed: self.init(421, "4.3.2", error.reason)
    default: self.init(451, "4.3.0", error.reason)
    }
  }
}
