package import PabalCore

/// A complete mail with its envelope, as a client handed it over.
package struct SMTPSubmission: Sendable {
  /// The reverse path; `nil` stands for `<>`.
  package var sender: Address?
  /// The recipients, in order.
  package var recipients: [Address]
  /// The mail, without dot-stuffing. Each line end is CRLF; the last line may have none.
  package var bytes: [UInt8]
  /// Whether MAIL had SMTPUTF8 (RFC 6531).
  package var isInternational: Bool
  /// The queue id that the client chose; `nil` for a new one.
  package var id: String?
  /// The reports about its delivery that the client asks for (RFC 3461).
  package var report: ReportParameters
  /// Who submits it.
  package var submitter: Submitter
  /// The value of the Received field that the mail gets, without its date and id.
  package var trace: SMTPTrace

  /// A mail with its envelope.
  package init(
    sender: Address?, recipients: [Address], bytes: [UInt8], isInternational: Bool = false,
    id: String? = nil, report: ReportParameters = ReportParameters(), submitter: Submitter, trace: SMTPTrace
  ) {
    self.sender = sender
    self.recipients = recipients
    self.bytes = bytes
    self.isInternational = isInternational
    self.id = id
    self.report = report
    self.submitter = submitter
    self.trace = trace
  }
}

/// What a Received field says about a transaction (RFC 5321, 4.4).
package struct SMTPTrace: Sendable, Hashable {
  /// The name after HELO or EHLO.
  package var greeting: String
  /// The client's address; `nil` for a process on this machine.
  package var address: String?
  /// SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA or their UTF8 forms (RFC 3848, RFC 6531).
  package var transmission: String

  /// A trace.
  package init(greeting: String, address: String?, transmission: String) {
    self.greeting = greeting
    self.address = address
    self.transmission = transmission
  }
}

/// The result of queueing a submission.
package enum SMTPSubmissionResult: Sendable, Hashable {
  /// The mail is durable under this id.
  case queued(id: String)
  /// The mail isn't stored.
  case refused(SMTPReply)
}
