import Glibc
import PabalCore

/// A `pabal sendmail` command.
package struct SendmailCommand {
  /// The arguments.
  package let arguments: SendmailArguments

  /// Parses the arguments after the command's name; `acceptsBatch` says that they may come from the small program.
  package init(_ words: [String], acceptsBatch: Bool = false) throws(CommandError) {
    arguments = try SendmailArguments(words, acceptsBatch: acceptsBatch)
  }

  /// Whether the small program can run the command; the others need the outbox or the server's side of SMTP.
  package var isSmall: Bool { [.send, .nothing].contains(arguments.mode) }

  /// Reads a mail from standard input and queues it.
  package func submit(outbox: @escaping QueueEntrances.OutboxEntrance) throws(CommandError) -> ExitStatus {
    let user = LocalUser.current()
    let mail = try mail(from: user, SendmailInput.read(endsAtDot: arguments.endsAtDot))
    switch QueueEntrances(arguments, outbox: outbox).submit(mail) {
    case .queued(let id):
      report(id)
      return .sent
    case .refused(_, let error), .failed(let error): throw error
    }
  }

  /// Prints the id of a mail that was queued, if that is asked for.
  package func report(_ id: String) {
    if arguments.isVerbose { Terminal.printError("pabal: queued as \(id)") }
  }

  /// Returns the mail in `input` with its envelope.
  func mail(from user: LocalUser, _ input: SendmailInput) throws(CommandError) -> OutgoingMail {
    var input = input
    let header = arguments.readsRecipients || arguments.readsSender ? try Self.header(of: input) : nil
    var recipients: [Address] = []
    for text in arguments.recipients {
      recipients += try Self.addresses("recipient", text, completing: user.domain)
    }
    if arguments.readsRecipients, let header {
      recipients += try Self.inMail { () throws(MailError) in
        try header.headerRecipients(completing: user.domain)
      }
    }
    guard !recipients.isEmpty else {
      throw CommandError(
        .usage, "recipients: none given",
        remedy: arguments.readsRecipients
          ? "add To, Cc or Bcc to the mail, or name them after the flags"
          : "name them after the flags, or pass -t to take them from the mail")
    }
    let sender = try sender(user, header)
    if !input.fields.contains("from") {
      let address = if let sender { sender } else { try Self.address(local: "MAILER-DAEMON", user.domain) }
      // A name whose bytes aren't UTF-8 is left out.
      let name = arguments.fullName.flatMap { $0.unicodeScalars.contains("\u{FFFD}") ? nil : $0 }
      input.prepend(field: HeaderCompletion.from(name: name ?? user.fullName, address))
    }
    if !input.fields.contains("date") { input.prepend(field: HeaderCompletion.date()) }
    return OutgoingMail(
      sender: sender, recipients: recipients, content: input.bytes, hostName: user.domain,
      report: arguments.notifications.parameters(for: recipients))
  }

  private func sender(_ user: LocalUser, _ header: SubmittedMail?) throws(CommandError) -> Address? {
    if let text = arguments.sender?.trimmed {
      if text.isEmpty || text == "<>" { return nil }
      let addresses = try Self.addresses("-f", text, completing: user.domain)
      guard let address = addresses.first, addresses.count == 1 else {
        throw CommandError(.input, "-f: \(printable(text)) isn't one address", remedy: "name one sender")
      }
      return address
    }
    if arguments.readsSender, let value = header?.header.values(of: "from").first {
      let authors = try Self.inMail { () throws(MailError) in
        try AddressList(value, field: "from", completing: user.domain).mailboxes
      }
      if let author = authors.first { return author.address }
    }
    // A login name such as DOMAIN\user isn't a local part without quotes.
    if let address = try? Self.address(local: user.login, user.domain) { return address }
    return try Self.address(local: "\(getuid())", user.domain)
  }

  private static func header(of input: SendmailInput) throws(CommandError) -> SubmittedMail {
    try inMail { () throws(MailError) in try SubmittedMail(input.bytes, lineEnds: .any) }
  }

  private static func inMail<Value>(_ work: () throws(MailError) -> Value) throws(CommandError) -> Value {
    do throws(MailError) {
      return try work()
    } catch {
      throw CommandError(.input, "\(error.field): \(error.message)", remedy: error.remedy)
    }
  }

  private static func address(local: String, _ domain: String) throws(CommandError) -> Address {
    do throws(AddressError) {
      return try Address("\(local)@\(domain)")
    } catch {
      throw CommandError(.input, error.message, remedy: "write it as name@domain")
    }
  }

  /// Parses an argument: an address, a local name, or a list of these in the forms of a header.
  private static func addresses(
    _ what: String, _ text: String, completing domain: String
  ) throws(CommandError) -> [Address] {
    // Swift has replaced invalid bytes, and the repaired address would be another one.
    guard !text.unicodeScalars.contains("\u{FFFD}") else {
      throw CommandError(.input, "\(what): \(printable(text)) isn't valid UTF-8", remedy: "pass it in UTF-8")
    }
    do throws(MailError) {
      return try AddressList(Array(text.utf8), field: what, completing: domain).mailboxes.map(\.address)
    } catch {
      throw CommandError(.input, "\(what): \(error.message)", remedy: error.remedy)
    }
  }
}
