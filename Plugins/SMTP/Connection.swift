internal import PabalCurl

/// One connection, logged in: it carries one mail after another until it is in doubt.
///
/// Sendable although it is no value: the pool gives it to one caller, who alone uses it until it comes back.
final class Connection: @unchecked Sendable {
  /// After so long without use the peer may be gone unseen: the envelope goes first, by itself.
  static let careful = 5_000
  /// After so long without use nobody waits any more; libcurl's own limit for kept connections is 118 s.
  static let longestIdle = 115_000
  /// A session by token lives about as long as the token, an hour; where nobody says how long that is.
  static let longestSession = 50 * 60_000

  let capabilities: Capabilities
  let redaction: Redaction
  private let dialogue: Dialogue
  private let buffer = CommandBuffer()
  private let expires: Int?
  private var lastUsed: Int
  private var needsReset = false
  /// Whether a mail has gone over it, or it has waited in the pool.
  private(set) var isKept = false

  /// Connects and logs in.
  init(_ server: Server, _ grant: Grant?, now: Int) throws(ConnectFailure) {
    let redaction = Redaction(server.login, grant, host: server.host, port: server.port)
    let handle: CurlHandle
    do throws(CurlFailure) {
      handle = try Self.handle(server, grant)
    } catch {
      throw ConnectFailure(.held(.transport), "the connection can't be set up: \(error)")
    }
    let dialogue = Dialogue(handle, timeout: server.timeout)
    dialogue.reader.awaited = 16
    handle.onHeader = { [unowned dialogue] line in
      do throws(ReplyFault) {
        try dialogue.reader.take(line)
        return true
      } catch {
        return false
      }
    }
    do throws(CurlFailure) {
      try handle.perform()
    } catch {
      throw ConnectFailure(error, dialogue.reader, server, redaction)
    }
    handle.onHeader = nil
    // libcurl goes on without a login where none is offered.
    if server.login.user != nil, !Self.isLoggedIn(dialogue.reader) {
      throw ConnectFailure(
        .held(.transport),
        "\(server.name) offers no login here; check host, port and \"security\", or leave account, user and password out"
      )
    }
    let offer = dialogue.reader.replies.last { $0.code == 250 }
    capabilities = offer.map { Capabilities(lines: dialogue.reader.lines($0)) } ?? Capabilities()
    dialogue.reader.reset()
    self.dialogue = dialogue
    self.redaction = redaction
    expires = Self.end(server.login, grant).map { now + $0 }
    lastUsed = now
  }

  /// Whether the last reply is AUTH's 235: behind greeting and EHLO, or behind a challenge.
  private static func isLoggedIn(_ reader: borrowing ReplyReader) -> Bool {
    let codes = reader.replies.suffix(3).map(\.code)
    return codes.count == 3 && codes[2] == 235 && (codes[1] == 250 || codes[1] == 334)
  }

  private static func handle(_ server: Server, _ grant: Grant?) throws(CurlFailure) -> CurlHandle {
    let handle = try CurlHandle(protocols: "smtp,smtps")
    try handle.set(.url, server.url)
    try handle.set(.connectOnly, true)
    try handle.set(server.security == .starttls ? .startTLS : .asScheme)
    try handle.set(.connectTimeout, .milliseconds(server.timeout))
    // Connecting, securing and logging in are half a dozen replies; a server that dribbles gets no more.
    try handle.set(.totalTimeout, .milliseconds(server.timeout * 2))
    try handle.set(.replySeconds, max(1, server.timeout / 1_000))
    if server.certificateFile != nil || server.certificateDirectory != nil {
      try handle.setTrust(.only(file: server.certificateFile, directory: server.certificateDirectory))
    }
    guard let options = server.login.options else { return handle }
    try handle.set(.loginOptions, options)
    try handle.set(.initialResponse, true)
    switch server.login {
    case .none: break
    case .password(let user, let password, _):
      try handle.set(.user, user)
      try handle.set(.password, password)
    case .account(let user, let mechanism):
      try handle.set(.user, mechanism == .oauthbearer ? Login.escaped(user) : user)
      try handle.set(.bearer, grant?.token)
    }
    return handle
  }

  /// Milliseconds until the session has to be renewed; `nil`: a password's session has no end.
  private static func end(_ login: Login, _ grant: Grant?) -> Int? {
    guard case .account = login else { return nil }
    guard let seconds = grant?.expiresIn else { return longestSession }
    let life = Int(clamping: seconds).multipliedReportingOverflow(by: 1_000)
    if life.overflow { return longestSession }
    // A minute before the end; of a token that hardly lives, half.
    return max(life.partialValue - 60_000, life.partialValue / 2)
  }

  /// Whether it is young enough for a mail.
  func isUsable(now: Int) -> Bool {
    if let expires, now >= expires { return false }
    return now - lastUsed < Self.longestIdle
  }

  /// Whether it stands and nothing has come unasked: what had would pass for a reply to the next command.
  func isQuiet() -> Bool { dialogue.isQuiet() }

  /// Carries `delivery` to some of its recipients.
  func carry(
    _ delivery: Delivery, to recipients: [Int], _ habits: Habits, now: Int
  ) -> (conclusion: Conclusion, manner: Manner) {
    let isStale = now - lastUsed >= Self.careful
    let manner = Manner(capabilities, habits: habits, isStale: isStale)
    var transaction = Transaction(
      delivery, recipients: recipients, manner: manner, capabilities: capabilities)
    let conclusion = transaction.run(dialogue, buffer, resetFirst: needsReset)
    needsReset = conclusion.needsReset
    lastUsed = now
    return (conclusion, manner)
  }

  /// Marks that it waits in the pool, where its peer may part from it.
  func keep() { isKept = true }

  /// Says goodbye without waiting for the answer.
  func sayGoodbye() {
    guard dialogue.isQuiet() else { return }
    buffer.removeAll()
    buffer.append("QUIT\r\n")
    do throws(Breach) {
      try dialogue.send(buffer.octets) { _ in true }
      dialogue.reader.reset()
      hasSaidGoodbye = true
    } catch {
      // It is gone already.
    }
  }

  private var hasSaidGoodbye = false

  /// Waits for the answer to `sayGoodbye` until the moment `end`, in `milliseconds()`.
  func awaitGoodbye(until end: Int) {
    guard hasSaidGoodbye else { return }
    while dialogue.reader.replies.isEmpty {
      let left = end - milliseconds()
      guard left > 0, dialogue.handle.wait(for: .readable, milliseconds: left) else { return }
      do throws(Breach) {
        _ = try dialogue.readAvailable()
      } catch {
        return
      }
    }
  }
}
