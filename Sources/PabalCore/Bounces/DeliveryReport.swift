internal import PabalFormats

/// A report to the sender of a submitted mail about some of its recipients (RFC 3464): text for people, fields for
/// programs, and the header of the mail.
package struct DeliveryReport: Sendable {
  /// What has become of the mail, by the names of RFC 3464, 2.3.3.
  package enum Action: String, Sendable, Hashable, CaseIterable {
    /// It isn't delivered, and won't be.
    case failed = "failed"
    /// It still waits.
    case delayed = "delayed"
    /// The next hop accepted it, from which no further report is expected.
    case relayed = "relayed"
  }

  /// Why a mail isn't delivered.
  package enum Cause: Sendable, Hashable {
    /// It was refused.
    case rejected
    /// Its time limit was reached.
    case expired
    /// It isn't known whether it was accepted.
    case unknown
  }

  /// A recipient that the report is about.
  package struct Recipient: Sendable {
    /// The address, which may be invalid if that is why the mail was refused.
    let address: String
    /// The value of ORCPT.
    var original: String?
    /// Why the mail isn't delivered; `nil` unless it failed.
    var cause: Cause?
    /// The last reply.
    var reply: String?
    /// The name of the server that gave the reply.
    var remoteHost: String?

    /// A recipient.
    package init(
      _ address: String, original: String? = nil, cause: Cause? = nil, reply: String? = nil,
      remoteHost: String? = nil
    ) {
      self.address = address
      self.original = original
      self.cause = cause
      self.reply = reply
      self.remoteHost = remoteHost
    }
  }

  /// What has become of the mail.
  package let action: Action
  /// The recipients; at least one.
  package let recipients: [Recipient]
  /// The sender of the mail, who gets the report.
  package var to: Address
  /// The id of the mail in the outbox.
  package var id: String
  /// The finished mail.
  package var original: [UInt8]
  /// The decoded ENVID of the mail.
  package var envelopeID: String?
  /// Whether the whole mail is returned, if it isn't too large.
  package var returnsMail = false
  /// When the mail was submitted.
  package var arrival: Timestamp
  /// The current time.
  package var now: Timestamp
  /// Until when the mail is tried, if it still waits.
  package var retriedUntil: Timestamp?

  /// How long a report is tried: as long as other mail.
  package static let lifetime: Duration = .seconds(432_000)

  /// A report without the parameters of RFC 3461.
  package init(
    _ action: Action, _ recipients: [Recipient], to: Address, id: String, original: [UInt8],
    arrival: Timestamp, now: Timestamp
  ) {
    self.action = action
    self.recipients = recipients
    self.to = to
    self.id = id
    self.original = original
    self.arrival = arrival
    self.now = now
  }

  /// Returns the finished mail, with the null sender.
  ///
  /// It is 7-bit, so that every server takes it, unless the address of its recipient or its author needs SMTPUTF8. Servers
  /// with SMTPUTF8 take 8-bit content as well (RFC 6531, 3.1).
  package func finish(_ options: DeliveryReportOptions, identity: MailIdentity) -> Mail? {
    guard let envelope = Envelope(sender: nil, recipients: [to]) else { return nil }
    let text = DeliveryReportText(self, options)
    let needsSMTPUTF8 = to.needsSMTPUTF8 || options.from?.needsSMTPUTF8 ?? false
    let status = DeliveryStatusPart(self, host: options.host, allows8Bit: needsSMTPUTF8)
    let returned = ReturnedMailPart(
      original, isWhole: returnsMail && action == .failed, allows8Bit: needsSMTPUTF8)
    let messageID = "<\(identity.messageIDToken)@\(options.from?.domain ?? options.host)>"
    guard let content = try? BodyPart(text.body, field: "text") else { return nil }

    var header = HeaderWriter(capacity: 2_048 + returned.size)
    header.append("Date", token: identity.date)
    if let from = options.from ?? (try? Address("MAILER-DAEMON@\(options.host)")) {
      header.append("From", [(try? Mailbox(name: text.author, address: from)) ?? Mailbox(from)])
    }
    header.append("To", [Mailbox(to)])
    if let subject = try? HeaderText(text.subject, field: "subject") { header.append("Subject", subject) }
    header.append("Message-ID", token: messageID)
    if let answered = originalMessageID { header.append("In-Reply-To", token: answered) }
    header.append("Auto-Submitted", token: "auto-replied")
    header.append("X-Auto-Response-Suppress", token: "All")
    header.append("Content-Language", token: text.language.rawValue)
    header.append("MIME-Version", token: "1.0")
    if status.has8Bit || returned.has8Bit { header.append("Content-Transfer-Encoding", token: "8bit") }
    var bytes = header.finished()
    bytes.append(
      text:
        "Content-Type: multipart/report; report-type=\(status.isGlobal ? "global-" : "")delivery-status;\r\n"
        + "\tboundary=\"\(identity.boundary)\"\r\n\r\n")
    let delimiter = "--\(identity.boundary)"
    bytes.append(text: "\(delimiter)\r\n")
    content.append(subtype: "plain", to: &bytes)
    bytes.append(text: "\r\n\(delimiter)\r\n")
    status.append(to: &bytes)
    bytes.append(text: "\r\n\(delimiter)\r\n")
    returned.append(to: &bytes)
    bytes.append(text: "\r\n\(delimiter)--\r\n")
    return Mail(
      id: identity.id, envelope: envelope, messageID: messageID, bytes: bytes,
      needsSMTPUTF8: needsSMTPUTF8, needs8BitMIME: needsSMTPUTF8)
  }

  /// The Message-ID of the mail, if it can be repeated as it is.
  private var originalMessageID: String? {
    let id = originalHeader?.values(of: "message-id").first.map {
      String(decoding: $0, as: UTF8.self).trimmed
    }
    guard let id, id.hasPrefix("<"), id.hasSuffix(">"), id.utf8.count <= 250,
      id.utf8.allSatisfy({ (0x21...0x7E).contains($0) })
    else { return nil }
    return id
  }

  private var originalHeader: MailHeader? {
    var start = 0
    return try? original.withUnsafeBufferPointer { mail in
      try MailHeader(of: mail, syntax: .tolerant, bodyStart: &start)
    }
  }

  /// The subject of the mail, on one line; empty if it has none. Bytes that aren't UTF-8 are replaced.
  var originalSubject: String {
    guard let value = originalHeader?.values(of: "subject").first else { return "" }
    let subject = EncodedWordDecoder.text(of: value).split(whereSeparator: \.isWhitespace)
    // Not of characters, because one may consist of any number of scalars.
    return printable(String(subject.joined(separator: " ").unicodeScalars.prefix(200)))
  }
}

/// How reports to the senders of submitted mail are written.
public struct DeliveryReportOptions: Sendable {
  /// The language of the text, a BCP 47 tag: Korean for `ko`, otherwise English.
  public var language = "en"
  /// The name of this service, as the reporting MTA.
  public var host = "localhost"
  /// The address in the From field; `nil` for `MAILER-DAEMON` at the host.
  public var from: Address?
  /// The age at which a sender gets a report about a mail that still waits; `nil`: never.
  public var delay: Duration?
  /// The routes of reports by the domain of their From field.
  public var routes = SenderRoutes()
  /// The largest mail that is returned as a whole, and the most of a header: as many bytes as Postfix returns.
  static let returnedLimit = 50_000

  /// The defaults.
  public init() {}
}
