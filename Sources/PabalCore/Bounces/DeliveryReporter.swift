/// Decides which reports the sender of a mail gets when an attempt ends, and records them in its content.
struct DeliveryReporter: Sendable {
  private let options: DeliveryReportOptions
  private let retries: Duration
  private let identity: @Sendable () -> MailIdentity
  private let sealing: any ContentSealing

  /// - Parameters:
  ///   - options: How reports are written.
  ///   - retries: The age until which mail is tried.
  ///   - identity: Generates the ids and dates of reports.
  ///   - sealing: Seals their content.
  init(
    _ options: DeliveryReportOptions, retries: Duration, identity: @escaping @Sendable () -> MailIdentity,
    _ sealing: any ContentSealing
  ) {
    self.options = options
    self.retries = retries
    self.identity = identity
    self.sealing = sealing
  }

  /// Returns the reports that follow an attempt, each recipient at most once in a report about its end.
  ///
  /// `ending` is the final state of the mail, or `nil` if it waits. A mail that was withdrawn, `cancelled` or `superseded`,
  /// isn't reported.
  func reports(
    _ content: inout OutboxContent, of entry: OutboxEntry, ending: OutboxState?, at now: Timestamp
  ) -> [OutboxReport] {
    guard entry.owesReport, let request = content.report else { return [] }
    var recipients: [DeliveryReport.Action: [DeliveryReport.Recipient]] = [:]
    let isDelayed = options.delay.map { now - entry.created >= $0 } ?? false
    for (index, address) in content.mail.envelope.recipients.enumerated() {
      let progress = content.progress[index]
      guard !progress.isReported else { continue }
      let events = request.parameters.events(of: address)
      var recipient = DeliveryReport.Recipient(
        address.description, original: request.parameters.recipients[address]?.original,
        reply: progress.reply,
        remoteHost: progress.remoteHost)
      switch (progress.final, ending) {
      case (.sent, _):
        content.progress[index].isReported = true
        if events.contains(.success) { recipients[.relayed, default: []].append(recipient) }
        continue
      case (.rejected, _): recipient.cause = .rejected
      case (.some, _), (nil, .unknown): recipient.cause = .unknown
      case (nil, .expired): recipient.cause = .expired
      // Decided together with the recipients above, so it was refused as a whole.
      case (nil, .rejected): recipient.cause = .rejected
      case (nil, nil):
        guard isDelayed, !progress.isDelayReported else { continue }
        content.progress[index].isDelayReported = true
        if events.contains(.delay) { recipients[.delayed, default: []].append(recipient) }
        continue
      case (nil, .some): continue
      }
      content.progress[index].isReported = true
      if events.contains(.failure) { recipients[.failed, default: []].append(recipient) }
    }
    return DeliveryReport.Action.allCases.compactMap { action in
      recipients[action].flatMap { report(action, $0, request, content, entry, at: now) }
    }
  }

  private func report(
    _ action: DeliveryReport.Action, _ recipients: [DeliveryReport.Recipient], _ request: ReportRequest,
    _ content: OutboxContent, _ entry: OutboxEntry, at now: Timestamp
  ) -> OutboxReport? {
    var report = DeliveryReport(
      action, recipients, to: request.sender, id: entry.id, original: content.mail.bytes,
      arrival: entry.created, now: now)
    report.envelopeID = request.parameters.envelopeID
    report.returnsMail = request.parameters.returned == .full
    let end = entry.created + retries
    report.retriedUntil = entry.notAfter.map { min($0, end) } ?? end
    guard let mail = report.finish(options, identity: identity()) else { return nil }
    let sealed = sealing.seal(OutboxContent(mail).bytes, id: mail.id)
    var added = OutboxEntry(
      id: mail.id, lane: .normal, created: now, notAfter: now + DeliveryReport.lifetime,
      ownedBy: entry.caller,
      reporting: .report, route: options.routes.key(for: mail), content: sealed)
    added.recipientDigests = sealing.digests(of: mail.envelope.recipients)
    return OutboxReport(entry: added, action: action, recipients: recipients.count)
  }
}
