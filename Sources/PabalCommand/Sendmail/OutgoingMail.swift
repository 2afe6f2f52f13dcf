package import PabalCore

/// A mail on its way from `sendmail` into the queue, with its envelope.
package struct OutgoingMail: Sendable {
  /// The id that it gets in the outbox, whichever way it takes, so that it is queued once even if it takes two.
  package let id: String
  /// The reverse path; `nil` stands for `<>`.
  package let sender: Address?
  /// The recipients without duplicates; at least one.
  package let recipients: [Address]
  /// The mail; its lines end with CRLF.
  package let content: [UInt8]
  /// Whether the caller asked for SMTPUTF8 (RFC 6531), which a header may need without an address that does.
  package let isInternational: Bool
  /// The name for EHLO.
  package let hostName: String
  /// The reports that the caller asks for.
  package let report: ReportParameters

  /// A mail with a new id.
  package init(
    sender: Address?, recipients: [Address], content: [UInt8], isInternational: Bool = false,
    hostName: String, report: ReportParameters = ReportParameters()
  ) {
    var seen = Set<Address>()
    id = MailIdentity.now().id
    self.sender = sender
    self.recipients = recipients.filter { seen.insert($0).inserted }
    self.content = content
    self.isInternational = isInternational
    self.hostName = hostName
    self.report = report
  }

  /// The command MAIL for a service that offers `extensions`, without its line end.
  func mailCommand(_ extensions: Set<String>) -> String {
    var command = "MAIL FROM:<\(sender?.description ?? "")>"
    if extensions.contains("SIZE") { command += " SIZE=\(content.count)" }
    if extensions.contains("8BITMIME"), content.contains(where: { $0 >= 0x80 }) {
      command += " BODY=8BITMIME"
    }
    if extensions.contains("SMTPUTF8"), needsSMTPUTF8 { command += " SMTPUTF8" }
    if extensions.contains("DSN") { command += report.mailText }
    if extensions.contains(OutgoingMail.idExtension) { command += " \(OutgoingMail.idExtension)=\(id)" }
    return command
  }

  /// The command RCPT for a service that offers `extensions`, without its line end.
  func recipientCommand(_ recipient: Address, _ extensions: Set<String>) -> String {
    let parameters = extensions.contains("DSN") ? report.recipientText(recipient) : ""
    return "RCPT TO:<\(recipient)>\(parameters)"
  }

  /// Whether the service has to take mail with non-ASCII characters in the envelope or the header (RFC 6531).
  var needsSMTPUTF8: Bool {
    isInternational || sender?.needsSMTPUTF8 ?? false || recipients.contains { $0.needsSMTPUTF8 }
  }

  /// The extension of the Unix socket by which a client chooses the queue id of its mail.
  static let idExtension = "XQUEUEID"

  /// Returns why a service with these limits refuses the mail for good; `nil` if it doesn't.
  func refusal(_ limits: PublishedLimits) -> CommandError? {
    guard recipients.count <= limits.recipients else {
      return Self.refused(
        "\(recipients.count) recipients, a mail can have \(limits.recipients)", "send it in several mails")
    }
    guard content.count <= limits.size else {
      return Self.refused(
        "\(content.count) bytes, the largest mail has \(limits.size)", "send a smaller mail")
    }
    do throws(MailError) {
      let mail = try SubmittedMail(content, lineEnds: .crlf)
      return mail.isLooping
        ? Self.refused("more than \(ReceivedField.limit) Received fields: a mail loop", "nothing was sent")
        : nil
    } catch {
      return CommandError(.input, "\(error.field): \(error.message)", remedy: error.remedy)
    }
  }

  private static func refused(_ reason: String, _ remedy: String) -> CommandError {
    CommandError(.input, "mail: refused: \(reason)", remedy: remedy)
  }

  /// The mail as a batch: the commands and the content that a client would send to a service with all extensions
  /// (RFC 2442). The id isn't part of it, because a drop file has it as its name.
  package var batch: [UInt8] {
    let extensions: Set = ["SIZE", "8BITMIME", "SMTPUTF8", "DSN"]
    var commands = "EHLO \(hostName)\r\n\(mailCommand(extensions))\r\n"
    for recipient in recipients { commands += "\(recipientCommand(recipient, extensions))\r\n" }
    var bytes = Array("\(commands)BDAT \(content.count) LAST\r\n".utf8)
    bytes.append(contentsOf: content)
    return bytes
  }
}
