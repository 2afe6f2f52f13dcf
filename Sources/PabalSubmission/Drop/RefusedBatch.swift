package import PabalCore

/// What can be read of a batch that is refused, for the report to its sender.
package struct RefusedBatch: Sendable {
  /// A recipient of the batch.
  package struct Recipient: Sendable, Equatable {
    /// The address as it was written, which may be why the mail was refused.
    package var address: String
    /// The value of ORCPT.
    package var original: String?
  }

  /// The sender; `nil` stands for `<>`.
  package private(set) var sender: Address?
  /// The recipients whose failure is to be reported.
  package private(set) var recipients: [Recipient] = []
  /// The decoded ENVID.
  package private(set) var envelopeID: String?
  /// The mail, of which the end may be missing.
  package private(set) var content: [UInt8] = []

  /// The recipients that are read at most; a batch with more of them was refused because of that.
  private static let limit = 1_000

  /// Reads the envelope and the start of the content; `nil` without a sender that can be read.
  package init?(_ bytes: [UInt8], host: String) {
    var rest = bytes[...]
    var hasSender = false
    while let end = rest.firstIndex(of: 0x0A) {
      let line = rest[..<end].last == 0x0D ? rest[..<(end - 1)] : rest[..<end]
      rest = rest[(end + 1)...]
      guard let command = SMTPCommand(Array(line)) else { continue }
      switch command.verb {
      case .mail:
        guard let path = try? SMTPPath(command.argument, after: "FROM:") else { return nil }
        if !path.isNull {
          guard let address = try? path.address(completing: host, status: "5.1.7") else { return nil }
          sender = address
        }
        hasSender = true
        envelopeID = path.parameters.first { $0.keyword == "ENVID" }?.value.flatMap(
          ReportParameters.envelopeID)
      case .rcpt: add(command.argument)
      case .bdat, .data:
        content = Array(rest)
        rest = []
      default: break
      }
    }
    guard hasSender else { return nil }
  }

  private mutating func add(_ argument: ArraySlice<UInt8>) {
    guard recipients.count < RefusedBatch.limit else { return }
    guard let path = try? SMTPPath(argument, after: "TO:") else {
      let text = String(decoding: argument.dropFirst("TO:".utf8.count).prefix(300), as: UTF8.self)
      return recipients.append(Recipient(address: text.filter { $0 != "<" && $0 != ">" }.trimmed))
    }
    var recipient = Recipient(address: String(decoding: path.mailbox.prefix(300), as: UTF8.self))
    for parameter in path.parameters {
      switch (parameter.keyword, parameter.value) {
      case ("NOTIFY", let value?):
        if let events = ReportParameters.Events(value), !events.contains(.failure) { return }
      case ("ORCPT", let value?): recipient.original = ReportParameters.original(value)
      default: break
      }
    }
    // Each is reported once, however often the file names it.
    guard !recipients.contains(where: { $0.address == recipient.address }) else { return }
    recipients.append(recipient)
  }
}

/// What became of the report about a refused batch.
package enum RefusalReport: Sendable, Equatable {
  /// The report is durable under this id.
  case queued(id: String, recipients: Int)
  /// The sender gets no report, for this reason; `nil` if it asked for none or its limit is reached.
  case none(Reporting?)
  /// The report can't be stored now.
  case failed(SMTPReply)
}

extension SubmissionIntake {
  /// Reports to the sender of a batch that it was refused for good.
  ///
  /// The report has an id that depends on that of the batch, so that it is queued once.
  package func reportRefusal(
    of batch: RefusedBatch, id: String, submitter: Submitter, refusal: SMTPReply,
    options: DeliveryReportOptions
  ) async -> RefusalReport {
    let reporting = reporting(batch.sender, batch.content, submitter)
    guard reporting == .sender, let sender = batch.sender else { return .none(reporting) }
    guard !batch.recipients.isEmpty else { return .none(nil) }
    // A report is a mail to an address that the submitter chose.
    guard (try? rates.reserve(1, of: submitter, rules(submitter))) != nil else { return .none(nil) }
    let recipients = batch.recipients.map {
      DeliveryReport.Recipient($0.address, original: $0.original, cause: .rejected, reply: refusal.line)
    }
    let now = Timestamp.now()
    var report = DeliveryReport(
      .failed, recipients, to: localAddress(sender), id: id, original: batch.content, arrival: now, now: now)
    report.envelopeID = batch.envelopeID
    let reportID = MailIdentity.reportID(of: id)
    guard let mail = report.finish(options, identity: identity().withID(reportID)) else { return .none(nil) }
    do throws(MailSubmissionError) {
      // An id that belongs to another caller means that the name of the file was chosen for that.
      let isQueued = try await add(
        mail, of: submitter, notAfter: now + DeliveryReport.lifetime, reporting: .report)
      guard isQueued else { return .none(nil) }
      return .queued(id: mail.id, recipients: recipients.count)
    } catch {
      return .failed(SMTPReply(error))
    }
  }
}
