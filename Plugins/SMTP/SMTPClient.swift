internal import PabalFormats
internal import PabalPlugin
internal import Synchronization

/// Sends mails to one server over kept connections.
final class SMTPClient: Sendable {
  /// Returns an access token for one attempt, or `nil` if there is none; `rejected` is the token just refused.
  typealias TokenSource = (_ rejected: String?) -> Token?
  /// Called with the server's words, without secrets, before the token source is asked for another token.
  typealias TokenRejectionHandler = (_ reply: String) -> Void

  /// How an attempt ended.
  enum DeliveryResult {
    /// One result for each recipient, in the mail's order.
    case recipientResults([RecipientResult])
    /// The token source had no access token and has reported why.
    case noToken
  }

  let server: SMTPServer
  private let pool = ConnectionPool()
  private let quirks = Atomic<UInt8>(0)
  private let now: @Sendable () -> Int
  private let log: @Sendable (String) -> Void

  /// `now` returns milliseconds of a monotonic clock; `log` writes a line for the operator.
  init(
    _ server: SMTPServer, now: @escaping @Sendable () -> Int = MonotonicClock.milliseconds,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.server = server
    self.now = now
    self.log = log
  }

  /// Makes one attempt and blocks until it has ended.
  func send(
    _ mail: SMTPMessage, onTokenRejection: TokenRejectionHandler = { _ in }, tokens: TokenSource
  ) -> DeliveryResult {
    if let recipientResult = Self.envelopeError(mail) {
      return .recipientResults(mail.recipients.map { _ in recipientResult })
    }
    var mail = mail
    var attempt = AttemptState(recipientCount: mail.recipients.count)
    var connectionInUse: SMTPConnection?
    defer { connectionInUse.map(pool.put) }
    var step = attempt.firstStep
    while case .send(let choice) = step {
      let event: AttemptState.Event
      do throws(ConnectionError) {
        guard let connection = try connection(choice, current: connectionInUse, tokens, onTokenRejection)
        else {
          // The host must learn what the first transaction settled, or it would send the mail to everyone again.
          return attempt.hasSettledRecipients ? .recipientResults(attempt.recipientResults) : .noToken
        }
        connectionInUse = nil
        (event, connectionInUse) = runTransaction(&mail, to: attempt.remaining, over: connection)
      } catch {
        event = .connectionFailed(error)
      }
      let decision = attempt.next(after: event)
      if let quirk = decision.quirk { remember(quirk) }
      step = decision.step
    }
    return .recipientResults(attempt.recipientResults)
  }

  /// Runs one transaction, if the connection and the mail allow it; returns the connection if it can be used again.
  private func runTransaction(
    _ mail: inout SMTPMessage, to recipients: [Int], over connection: SMTPConnection
  ) -> (AttemptState.Event, usable: SMTPConnection?) {
    if let incompatibility = mail.incompatibility(connection.capabilities) {
      return (.unsuited(incompatibility), connection)
    }
    let start = now()
    guard connection.hasNoUnsolicitedReply() else {
      return (.unsolicitedReply(isReused: connection.isReused), nil)
    }
    let isReused = connection.isReused
    var (result, mode) = connection.send(
      &mail, to: recipients, ServerQuirks(rawValue: quirks.load(ordering: .relaxed)), now: start)
    for index in result.recipientResults.indices {
      let recipientResult = result.recipientResults[index].recipientResult
      result.recipientResults[index].recipientResult = RecipientResult(
        recipientResult.outcome, connection.redactor.redact(recipientResult.message))
    }
    return (
      .transactionEnded(result, mode.grouping, isReused: isReused),
      result.isSound ? connection : nil
    )
  }

  /// Connects and logs in without sending a mail, and keeps the connection; `nil` without an access token.
  func check(
    onTokenRejection: TokenRejectionHandler = { _ in }, tokens: TokenSource
  ) throws(ConnectionError) -> Capabilities? {
    guard let connection = try connect(tokens, onTokenRejection) else { return nil }
    pool.put(connection)
    return connection.capabilities
  }

  /// Closes the kept connections.
  func close() { pool.close() }

  /// Returns the chosen connection; `nil` if a new one needs a token and there is none.
  private func connection(
    _ choice: AttemptState.ConnectionChoice, current: SMTPConnection?, _ tokens: TokenSource,
    _ onTokenRejection: TokenRejectionHandler
  ) throws(ConnectionError) -> SMTPConnection? {
    switch choice {
    case .current: if let current { return current }
    case .kept: if let kept = pool.take(now: now()) { return kept }
    case .new: break
    }
    return try connect(tokens, onTokenRejection)
  }

  private func connect(
    _ tokens: TokenSource, _ onTokenRejection: TokenRejectionHandler
  ) throws(ConnectionError) -> SMTPConnection? {
    guard case .account = server.login else { return try SMTPConnection(server, nil, now: now()) }
    guard let accessToken = tokens(nil) else { return nil }
    do throws(ConnectionError) {
      return try connect(with: accessToken)
    } catch {
      guard let reply = error.tokenRejection else { throw error }
      log("\(reply) to the access token of \(server.login.user ?? "")")
      onTokenRejection(reply)
      guard let renewed = tokens(accessToken.text) else { return nil }
      // The server would refuse the same token again.
      if renewed.text == accessToken.text { throw error }
      return try connect(with: renewed)
    }
  }

  private func connect(with accessToken: Token) throws(ConnectionError) -> SMTPConnection {
    guard SMTPSyntax.isPrintable(accessToken.text) else {
      throw ConnectionError(
        .held(.transport), "the account's access token contains invalid characters; log the account in again")
    }
    return try SMTPConnection(server, accessToken, now: now())
  }

  private func remember(_ quirk: ServerQuirk) {
    let known = quirks.bitwiseOr(ServerQuirks(quirk).rawValue, ordering: .relaxed).oldValue
    if !ServerQuirks(rawValue: known).contains(quirk) { log("\(server.name) \(quirk.rawValue)") }
  }

  /// Returns the result for all recipients if an address of the envelope could inject a command.
  ///
  /// The host checks addresses too; this check doesn't rely on it.
  private static func envelopeError(_ mail: SMTPMessage) -> RecipientResult? {
    if !mail.sender.isEmpty, !SMTPSyntax.isAddress(mail.sender) {
      return RecipientResult(
        .rejected,
        "the sender's address contains a control character, a space or an angle bracket; correct it")
    }
    if !mail.recipients.allSatisfy(SMTPSyntax.isAddress) {
      return RecipientResult(
        .rejected,
        "a recipient's address contains a control character, a space or an angle bracket; correct it")
    }
    return nil
  }
}

/// The connections kept for the next mail. The one used last is taken first, so that idle ones expire.
final class ConnectionPool: Sendable {
  private let idle = Mutex<[SMTPConnection]>([])

  /// Removes and returns a connection that can carry a mail now; closes those that are too old.
  func take(now: Int) -> SMTPConnection? {
    while let connection = idle.withLock({ $0.popLast() }) {
      if connection.isUsable(now: now) { return connection }
      connection.sendQuit()
    }
    return nil
  }

  /// Keeps a connection that is ready for another mail.
  func put(_ connection: SMTPConnection) {
    connection.markReused()
    idle.withLock { $0.append(connection) }
  }

  /// Sends QUIT over all connections and waits up to two seconds for the replies.
  func close() {
    let connections = idle.withLock { idle in
      defer { idle = [] }
      return idle
    }
    for connection in connections { connection.sendQuit() }
    let end = MonotonicClock.milliseconds() + 2_000
    for connection in connections { connection.awaitQuitReply(until: end) }
  }
}
