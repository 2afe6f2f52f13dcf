package import PabalCore

/// The server's side of an SMTP dialogue (RFC 5321), without input and output of its own.
///
/// The driver appends what arrives, calls ``next()``, writes ``output``, and carries out the step that it returned. The
/// listener, `sendmail -bs` and the drop directory drive the same session.
package struct SMTPSession {
  /// What the next input is.
  private enum Phase {
    case command
    case login(SMTPLogin)
    /// Content of the transaction.
    case content
    case skippedChunk(SkippedChunk)
    /// The driver carries out a step.
    case suspended
    case ended
  }

  /// The replies that have to be written before the next step is carried out.
  package var output: [UInt8] { replies.bytes }
  /// Who a mail of this session belongs to; `nil` while the client has to log in.
  package var submitter: Submitter? { client.submitter }
  /// Whether the connection is encrypted.
  package var isEncrypted: Bool { client.isEncrypted }
  /// A reply that refuses each MAIL, such as to a full disk; `nil` if mail is accepted.
  package var mailRefusal: SMTPReply? {
    get { mail.refusal }
    set { mail.refusal = newValue }
  }
  /// What the client may send. The driver sets it before it calls ``next()``.
  package var rules: SenderRules {
    get { mail.rules }
    set { mail.rules = newValue }
  }

  private let policy: SMTPSessionPolicy
  private var client: SMTPClient
  private var input = SMTPInput()
  private var isInputEnded = false
  private var phase = Phase.command
  private var mail = SMTPMailIntake()
  private var replies: SMTPReplyQueue

  /// Begins a dialogue; the output then has the greeting.
  package init(_ policy: SMTPSessionPolicy, peer: SMTPPeer) {
    self.policy = policy
    client = SMTPClient(peer)
    replies = SMTPReplyQueue(policy)
    replies.append(SMTPReply(220, nil, "\(policy.hostName) ESMTP Pabal"))
  }

  /// Whether the client is sending the content of a mail, which takes longer than a command.
  package var isReceivingContent: Bool {
    switch phase {
    case .content, .skippedChunk: true
    case .command, .login, .suspended, .ended: false
    }
  }

  /// How many bytes of input are kept until they can be worked on.
  package var bufferedBytes: Int { input.count }

  /// Whether nothing has arrived that the session hasn't worked on, except perhaps the line `command`.
  func isAtEnd(allowing command: String) -> Bool { input.isEmpty || input.isLine(command) }

  /// How many bytes of a mail have arrived and are kept.
  package var contentSize: Int { mail.contentSize }

  /// Returns the replies by which the session refused mail since the last call, for the log.
  package mutating func takeRefusals() -> [SMTPReply] { mail.takeRefusals() }

  /// Refuses the content that is arriving, and keeps none of it. The reply follows at its end.
  package mutating func refuseContent(_ reply: SMTPReply) { mail.refuseContent(reply) }

  /// Returns the output and empties it.
  package mutating func takeOutput() -> [UInt8] { replies.take() }

  /// Appends input from the client.
  package mutating func append(_ bytes: some Sequence<UInt8>) {
    if case .ended = phase { return }
    input.append(bytes)
  }

  /// Records that the client has closed its side; the next steps end the session.
  package mutating func endInput() { isInputEnded = true }

  /// Ends the session with a reply, such as 421 after a time limit, wherever the dialogue is.
  package mutating func end(_ reply: SMTPReply) {
    if case .ended = phase { return }
    replies.append(reply)
    close()
  }

  /// Works on the input up to the next step.
  package mutating func next() -> Step {
    while true {
      let step: Step?
      switch phase {
      case .command: step = readLine(nil)
      case .login(let login): step = readLine(login)
      case .content: step = readContent()
      case .skippedChunk(let chunk): step = skip(chunk)
      case .suspended: return .read
      case .ended: return .close
      }
      if let step { return step }
    }
  }

  /// Continues after ``Step/authenticate(_:)``.
  package mutating func authenticated(_ result: SMTPAuthenticationResult) {
    guard case .suspended = phase else { return }
    phase = .command
    guard isSynchronized else { return end(.pipelined) }
    switch result {
    case .accepted(let submitter):
      client.logIn(as: submitter)
      reply(.loggedIn)
    case .rejected: reply(.loginRejected)
    case .limited: reply(.loginLimited, isError: true)
    }
  }

  /// Continues after ``Step/startTLS``; `submitter` is who a verified client certificate stands for.
  package mutating func startedTLS(submitter: Submitter?) {
    guard case .suspended = phase else { return }
    phase = .command
    // What the client said before may have been changed on the way (RFC 3207, 4.2).
    input.removeAll()
    mail.reset()
    client.startTLS(submitter: submitter)
  }

  /// Continues after ``Step/submit(_:)``.
  package mutating func submitted(_ result: SMTPSubmissionResult) {
    guard case .suspended = phase else { return }
    phase = .command
    switch result {
    case .queued(let id):
      replies.resetCounts()
      reply(SMTPReply(250, "2.0.0", "queued as \(id)"))
    // 421 says that the connection ends (RFC 5321, 4.2.2).
    case .refused(let refusal) where refusal.code == 421: end(refusal)
    case .refused(let refusal): reply(refusal)
    }
  }

  // MARK: Replies

  private mutating func reply(_ reply: SMTPReply, isError: Bool = false) {
    if replies.append(reply, isError: isError) { end(.tooManyErrors) }
  }

  /// Replies to a command that brings no mail nearer.
  private mutating func replyIdle(_ reply: SMTPReply) {
    if replies.appendIdle(reply) { end(.tooManyErrors) }
  }

  private mutating func close() {
    phase = .ended
    input.removeAll()
    mail.reset()
  }

  /// Whether no input arrived before the reply that it has to wait for (RFC 2920, 3.1).
  ///
  /// Input that someone else put behind a command would otherwise pass for the client's.
  private var isSynchronized: Bool { policy.acceptsBatch || input.isEmpty }

  // MARK: Lines

  /// Works on the next line: a command, or a line of `login`'s exchange.
  private mutating func readLine(_ login: SMTPLogin?) -> Step? {
    switch input.nextLine(limit: SMTPCommand.loginLimit, acceptsLF: policy.acceptsLF) {
    case .incomplete: return awaitInput()
    case .fatal(let reply): end(reply)
    case .rejected(let reply):
      phase = .command
      self.reply(reply)
    case .complete(let line):
      phase = .command
      return if let login { continueLogin(login, line[...]) } else { readCommand(line) }
    }
    return nil
  }

  /// Returns the step if the input isn't enough. What it has of a line or a mail is dropped at its end.
  private mutating func awaitInput() -> Step {
    guard isInputEnded else { return .read }
    close()
    return .close
  }

  private mutating func readCommand(_ line: [UInt8]) -> Step? {
    guard let command = SMTPCommand(line) else {
      reply(.emptyCommand)
      return nil
    }
    if line.count > command.limit {
      reply(.lineTooLong)
    } else if !command.mayBeInternational, line.contains(where: { $0 >= 0x80 }) {
      reply(.notASCII)
    } else {
      do throws(SMTPReply) {
        return try perform(command)
      } catch {
        reply(error)
      }
    }
    return nil
  }

  // MARK: Commands

  /// Carries out a command. Throws its reply if it is rejected.
  private mutating func perform(_ command: SMTPCommand) throws(SMTPReply) -> Step? {
    switch command.verb {
    case .helo, .ehlo: try greet(command)
    case .startTLS: return try startTLS(command)
    case .auth: return try logIn(command)
    case .mail: try beginMail(command)
    case .rcpt:
      try mail.addRecipient(command.argument, missing: mailMissing)
      reply(.recipientOK)
    case .data: try beginData(command)
    case .bdat: beginChunk(command)
    case .rset:
      try requireNoArgument(command)
      mail.reset()
      replyIdle(.reset)
    case .noop: replyIdle(.reset)
    case .vrfy:
      guard !command.argument.isEmpty else { throw SMTPReply(501, "5.5.4", "VRFY takes an address") }
      replyIdle(.verify)
    case .help: replyIdle(.help)
    case .quit:
      reply(.goodbye)
      close()
    case .notImplemented: throw .notImplemented
    case .http: end(.notSMTP)
    case .unknown: throw .unknownCommand
    }
    return nil
  }

  private func requireNoArgument(_ command: SMTPCommand) throws(SMTPReply) {
    guard command.argument.isEmpty else { throw .noParameters }
  }

  private mutating func greet(_ command: SMTPCommand) throws(SMTPReply) {
    guard isSynchronized else { return end(.pipelined) }
    guard !command.argument.isEmpty else { throw .nameMissing }
    client.greet(String(decoding: command.argument, as: UTF8.self), isExtended: command.verb == .ehlo)
    mail.reset()
    let extensions = command.verb == .ehlo ? client.extensions(policy) : []
    replyIdle(SMTPReply(250, nil, lines: [policy.hostName] + extensions))
  }

  private mutating func startTLS(_ command: SMTPCommand) throws(SMTPReply) -> Step? {
    guard input.isEmpty else {
      end(.pipelined)
      return nil
    }
    try requireNoArgument(command)
    try client.requireTLS(policy)
    reply(.startTLS)
    phase = .suspended
    return .startTLS
  }

  // MARK: Logging in

  private mutating func logIn(_ command: SMTPCommand) throws(SMTPReply) -> Step? {
    guard isSynchronized else {
      end(.pipelined)
      return nil
    }
    try client.requireLogin(policy)
    guard !mail.isActive else { throw .loginDuringMail }
    let (login, step) = try SMTPLogin.begin(command.argument)
    return proceed(login, step)
  }

  private mutating func continueLogin(_ login: SMTPLogin, _ line: ArraySlice<UInt8>) -> Step? {
    guard isSynchronized else {
      end(.pipelined)
      return nil
    }
    var login = login
    do throws(SMTPReply) {
      let step = try login.receive(line)
      return proceed(login, step)
    } catch {
      reply(error)
      return nil
    }
  }

  private mutating func proceed(_ login: SMTPLogin, _ step: SMTPLogin.Step) -> Step? {
    switch step {
    case .challenge(let challenge):
      reply(challenge)
      phase = .login(login)
      return nil
    case .credentials(let credentials):
      phase = .suspended
      return .authenticate(credentials)
    }
  }

  // MARK: Mail

  private mutating func beginMail(_ command: SMTPCommand) throws(SMTPReply) {
    guard client.greeting != nil else { throw .greetingMissing }
    guard let submitter = client.submitter else { throw .authenticationRequired }
    try mail.begin(command.argument, submitter: submitter, policy: policy)
    reply(.senderOK)
  }

  private mutating func beginData(_ command: SMTPCommand) throws(SMTPReply) {
    // Without a reply of 354, what follows DATA would be taken for commands.
    guard isSynchronized else { return end(.pipelined) }
    do throws(SMTPReply) {
      try requireNoArgument(command)
      try mail.beginData(endsAtLF: input.endedWithLF, missing: mailMissing)
    } catch {
      // A script doesn't wait for the reply, and its content must not be taken for commands.
      if policy.acceptsBatch { return end(error) }
      throw error
    }
    reply(.startContent)
    phase = .content
  }

  private mutating func beginChunk(_ command: SMTPCommand) {
    let size: ChunkSize
    do throws(SMTPReply) {
      size = try ChunkSize(command.argument)
    } catch {
      // Where the chunk ends isn't known, and it must not be taken for commands.
      return end(error)
    }
    do throws(SMTPReply) {
      try mail.beginChunk(size, missing: mailMissing)
      phase = .content
    } catch {
      phase = .skippedChunk(SkippedChunk(size, error))
    }
  }

  private mutating func readContent() -> Step? {
    switch mail.read(&input) {
    case .incomplete: return awaitInput()
    case .complete: return finish()
    case .chunk:
      phase = .command
      reply(mail.endChunk())
      return nil
    }
  }

  private mutating func skip(_ chunk: SkippedChunk) -> Step? {
    var chunk = chunk
    chunk.skip(&input)
    guard chunk.remaining == 0 else {
      phase = .skippedChunk(chunk)
      return awaitInput()
    }
    phase = .command
    mail.refuseChunk(chunk.refusal, isLast: chunk.isLast)
    reply(chunk.refusal)
    return nil
  }

  /// Ends a mail whose content is complete.
  private mutating func finish() -> Step? {
    phase = .command
    switch mail.finish() {
    case nil: return nil
    case .refused(let fault):
      reply(fault)
      return nil
    case .accepted(let transaction):
      phase = .suspended
      return .submit(
        SMTPSubmission(
          sender: transaction.sender, recipients: transaction.recipients, bytes: transaction.content.bytes,
          isInternational: transaction.isInternational, id: transaction.id, report: transaction.report,
          submitter: transaction.submitter,
          trace: client.trace(isInternational: transaction.isInternational)))
    }
  }

  private var mailMissing: SMTPReply { client.greeting == nil ? .greetingMissing : .mailMissing }
}
