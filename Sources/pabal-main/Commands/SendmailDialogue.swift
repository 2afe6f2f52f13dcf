import Glibc
import PabalCommand
import PabalCore
import PabalSubmission

/// `sendmail -bs`: an SMTP dialogue on standard input and output, whose mails are queued as those of `sendmail` are.
struct SendmailDialogue {
  private let arguments: SendmailArguments
  private let user = LocalUser.current()

  init(_ arguments: SendmailArguments) { self.arguments = arguments }

  /// Speaks SMTP until the client ends the dialogue.
  func run() {
    var policy = SMTPSessionPolicy()
    policy.hostName = user.domain
    if let limits = PublishedLimits.published(in: arguments.drop) ?? ServiceLimits.ask(arguments.socket) {
      policy.maxSize = limits.size
      policy.maxRecipients = limits.recipients
    }
    policy.acceptsLF = true
    policy.acceptsBatch = true
    let peer = SMTPPeer(address: nil, submitter: .local(user.login))
    var session = SMTPSession(policy, peer: peer)
    while true {
      let step = session.next()
      Terminal.write(session.takeOutput())
      guard Terminal.outputError == nil else { return }
      switch step {
      case .read:
        let input = Self.read()
        if input.isEmpty { session.endInput() } else { session.append(input) }
      case .submit(let submission): session.submitted(submit(submission))
      case .authenticate: session.authenticated(.rejected)
      case .startTLS, .close: return
      }
    }
  }

  private func submit(_ submission: SMTPSubmission) -> SMTPSubmissionResult {
    let mail = OutgoingMail(
      sender: submission.sender, recipients: submission.recipients,
      content: SendmailInput(submission.bytes[...]).bytes, isInternational: submission.isInternational,
      hostName: user.domain, report: submission.report)
    let entrances = QueueEntrances(arguments) { mail, failures throws(CommandError) in
      try OwnedOutbox(arguments.configuration, orElse: failures).add(mail.batch, id: mail.id)
    }
    switch entrances.submit(mail) {
    case .queued(let id): return .queued(id: id)
    case .refused(let reply, _):
      // 421 would say that this dialogue ends.
      return .refused(SMTPReply(reply.code == 421 ? 451 : reply.code, nil, lines: reply.lines))
    case .failed(let error):
      let text = error.diagnostics.map(\.message).joined(separator: ", ")
      return switch error.status {
      case .deferred: .refused(SMTPReply(451, "4.3.0", printable(text)))
      case .held: .refused(SMTPReply(550, "5.7.1", printable(text)))
      default: .refused(SMTPReply(554, "5.3.0", printable(text)))
      }
    }
  }

  /// Reads what the client has sent; returns nothing at the end.
  private static func read() -> [UInt8] {
    while true {
      var buffer = [UInt8](repeating: 0, count: 1 << 16)
      let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        poll(&waiting, 1, -1)
        continue
      }
      return count > 0 ? Array(buffer[..<count]) : []
    }
  }
}
