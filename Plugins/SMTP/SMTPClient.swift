internal import PabalFormats
internal import Synchronization

/// Carries mails to one server: finds a connection, logs in, and tries again where nothing was taken.
final class SMTPClient: Sendable {
  /// Where access tokens come from, for one attempt: `nil` when there is none to be had.
  typealias TokenSource = (_ rejected: String?) -> Token?

  /// How an attempt ended.
  enum DeliveryResult {
    /// One fate for each recipient, in the mail's order.
    case recipientResults([RecipientResult])
    /// No token was to be had, and whoever was asked has said why.
    case noToken
  }

  let server: SMTPServer
  private let pool = ConnectionPool()
  private let quirks = Atomic<UInt8>(0)
  private let now: @Sendable () -> Int
  private let log: @Sendable (String) -> Void

  /// `now` in milliseconds, from any beginning; `log` tells the operator.
  init(
    _ server: SMTPServer, now: @escaping @Sendable () -> Int = MonotonicClock.milliseconds,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.server = server
    self.now = now
    self.log = log
  }

  /// Makes one attempt; blocks until it has ended.
  func send(_ mail: SMTPMessage, tokens: TokenSource) -> DeliveryResult {
    if let recipientResult = Self.envelopeError(mail) {
      return .recipientResults(mail.recipients.map { _ in recipientResult })
    }
    var recipientResults = [RecipientResult](
      repeating: RecipientResult(.deferred, "not tried"), count: mail.recipients.count)
    var remaining = Array(mail.recipients.indices)
    var held: SMTPConnection?
    defer { held.map(pool.put) }
    // A retry needs a connection that had died, or a habit that wasn't known yet: there are three.
    var retries = 4
    var needsNewConnection = false
    var hadUnsolicitedReply = false
    while true {
      let connection: SMTPConnection
      if let kept = held ?? (needsNewConnection ? nil : pool.take(now: now())) {
        connection = kept
        held = nil
      } else {
        do throws(ConnectionError) {
          guard let fresh = try connect(tokens) else { return .noToken }
          connection = fresh
        } catch {
          for index in remaining { recipientResults[index] = RecipientResult(error.outcome, error.message) }
          return .recipientResults(recipientResults)
        }
      }
      if let incompatibility = mail.incompatibility(connection.capabilities) {
        held = connection
        for index in remaining { recipientResults[index] = RecipientResult(.unsuited, incompatibility) }
        return .recipientResults(recipientResults)
      }
      let isReused = connection.isReused
      let start = now()
      guard connection.hasNoUnsolicitedReply() else {
        // One from the pool may have ended meanwhile; of new ones only the first is excused.
        if isReused { continue }
        guard !hadUnsolicitedReply else {
          for index in remaining {
            recipientResults[index] = RecipientResult(
              .deferred, "the server speaks, or parts, before it is asked")
          }
          return .recipientResults(recipientResults)
        }
        hadUnsolicitedReply = true
        needsNewConnection = true
        continue
      }
      let (result, mode) = connection.send(
        mail, to: remaining, ServerQuirks(rawValue: quirks.load(ordering: .relaxed)), now: start)
      for (index, recipientResult) in result.recipientResults {
        recipientResults[index] = RecipientResult(
          recipientResult.outcome, connection.redactor.redact(recipientResult.message))
      }
      if result.isSound { held = connection }
      switch result.next {
      case .done: return .recipientResults(recipientResults)
      case .remaining(let indices):
        guard indices.count < remaining.count, result.isSound else {
          return .recipientResults(recipientResults)
        }
        remaining = indices
        continue
      case .nothingAccepted, .connectionClosing:
        // A kept connection may have ended between two mails; a fresh one has no such excuse.
        guard isReused else { return .recipientResults(recipientResults) }
        needsNewConnection = true
      case .reduceGrouping:
        remember(mode.grouping == .pipelinedWithBody ? .repliesOutOfSequence : .losesSynchronization)
      case .bdatUnsupported:
        remember(.bdatUnsupported)
      }
      retries -= 1
      if retries == 0 { return .recipientResults(recipientResults) }
    }
  }

  /// Reaches the server and logs in; the connection is kept.
  func check(tokens: TokenSource) throws(ConnectionError) -> Capabilities? {
    guard let connection = try connect(tokens) else { return nil }
    pool.put(connection)
    return connection.capabilities
  }

  /// Parts from the server.
  func close() { pool.close() }

  private func connect(_ tokens: TokenSource) throws(ConnectionError) -> SMTPConnection? {
    guard case .account = server.login else { return try SMTPConnection(server, nil, now: now()) }
    guard let accessToken = tokens(nil) else { return nil }
    do throws(ConnectionError) {
      return try connect(with: accessToken)
    } catch {
      guard error.isTokenRejected else { throw error }
      guard let renewed = tokens(accessToken.token) else { return nil }
      // The same token again would be refused again.
      if renewed == accessToken || renewed.token == accessToken.token { throw error }
      return try connect(with: renewed)
    }
  }

  private func connect(with accessToken: Token) throws(ConnectionError) -> SMTPConnection {
    guard SMTPSyntax.isPrintable(accessToken.token) else {
      throw ConnectionError(
        .held(.transport), "the account gave a token with characters no token has; log it in again")
    }
    return try SMTPConnection(server, accessToken, now: now())
  }

  private func remember(_ quirk: ServerQuirk) {
    let known = quirks.bitwiseOr(ServerQuirks(quirk).rawValue, ordering: .relaxed).oldValue
    if !ServerQuirks(rawValue: known).contains(quirk) { log("\(server.name) \(quirk.rawValue)") }
  }

  /// Why an envelope never reaches the wire, whatever the host has checked.
  private static func envelopeError(_ mail: SMTPMessage) -> RecipientResult? {
    if !mail.sender.isEmpty, !SMTPSyntax.isAddress(mail.sender) {
      return RecipientResult(
        .rejected, "the sender's address can't be sent: it holds a control, a blank or a bracket")
    }
    if !mail.recipients.allSatisfy(SMTPSyntax.isAddress) {
      return RecipientResult(
        .rejected, "a recipient's address can't be sent: it holds a control, a blank or a bracket")
    }
    return nil
  }
}

/// The connections that wait for the next mail; the one used last goes out first, so that few stay warm.
final class ConnectionPool: Sendable {
  private let idle = Mutex<[SMTPConnection]>([])

  /// A connection that a mail may go over now, if one waits.
  func take(now: Int) -> SMTPConnection? {
    while let connection = idle.withLock({ $0.popLast() }) {
      if connection.isUsable(now: now) { return connection }
      connection.sendQuit()
    }
    return nil
  }

  /// Puts a sound connection back.
  func put(_ connection: SMTPConnection) {
    connection.markReused()
    idle.withLock { $0.append(connection) }
  }

  /// Says goodbye to all and waits a moment for their answers.
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
