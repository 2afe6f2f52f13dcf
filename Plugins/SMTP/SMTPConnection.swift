internal import PabalCurl
internal import PabalFormats

/// One connection, logged in: it carries one mail after another until it is in doubt.
///
/// Sendable although it is no value: the pool gives it to one caller, who alone uses it until it comes back.
final class SMTPConnection: @unchecked Sendable {
  /// After so long without use the peer may be gone unseen: the envelope goes first, by itself.
  static let staleAfter = 5_000
  /// After so long without use nobody waits any more; libcurl's own limit for kept connections is 118 s.
  static let maxIdleTime = 115_000
  /// A session by token lives about as long as the token, an hour; where nobody says how long that is.
  static let maxSessionTime = 50 * 60_000

  let capabilities: Capabilities
  let redactor: SecretRedactor
  private let stream: SMTPStream
  private let buffer = CommandBuffer()
  private let expires: Int?
  private var lastUsed: Int
  private var needsReset = false
  /// Whether a mail has gone over it, or it has waited in the pool.
  private(set) var isReused = false

  /// Connects and logs in.
  init(_ server: SMTPServer, _ accessToken: Token?, now: Int) throws(ConnectionError) {
    let redactor = SecretRedactor(server.login, accessToken, host: server.host, port: server.port)
    let handle: CurlHandle
    do throws(CurlError) {
      handle = try Self.handle(server, accessToken)
    } catch {
      throw ConnectionError(.held(.transport), "the connection can't be set up: \(error)")
    }
    let stream = SMTPStream(handle, timeout: server.timeout)
    stream.parser.expectedCount = 16
    handle.onHeader = { [unowned stream] line in
      do throws(ReplyError) {
        try stream.parser.feed(line)
        return true
      } catch {
        return false
      }
    }
    do throws(CurlError) {
      try handle.perform()
    } catch {
      throw ConnectionError(error, stream.parser, server, redactor)
    }
    handle.onHeader = nil
    // libcurl goes on without a login where none is offered.
    if server.login.user != nil, !Self.isLoggedIn(stream.parser) {
      throw ConnectionError(
        .held(.transport),
        "\(server.name) offers no login here; check host, port and \"security\", or leave account, user and password out"
      )
    }
    let ehloReply = stream.parser.replies.last { $0.code == 250 }
    capabilities = ehloReply.map { Capabilities(lines: stream.parser.lines($0)) } ?? Capabilities()
    stream.parser.reset()
    self.stream = stream
    self.redactor = redactor
    expires = Self.end(server.login, accessToken).map { now + $0 }
    lastUsed = now
  }

  /// Whether the last reply is AUTH's 235: behind greeting and EHLO, or behind a challenge.
  private static func isLoggedIn(_ parser: borrowing ReplyParser) -> Bool {
    let codes = parser.replies.suffix(3).map(\.code)
    return codes.count == 3 && codes[2] == 235 && (codes[1] == 250 || codes[1] == 334)
  }

  private static func handle(_ server: SMTPServer, _ accessToken: Token?) throws(CurlError) -> CurlHandle {
    let handle = try CurlHandle(protocols: "smtp,smtps")
    try handle.set(.url, server.url)
    try handle.set(.connectOnly, true)
    try handle.set(server.security == .starttls ? .startTLS : .asScheme)
    try handle.set(.connectTimeout, .milliseconds(server.timeout))
    // Connecting, securing and logging in are half a dozen replies; a server that dribbles gets no more.
    try handle.set(.totalTimeout, .milliseconds(server.timeout * 2))
    try handle.set(.replySeconds, max(1, server.timeout / 1_000))
    if server.certificateFile != nil || server.certificateDirectory != nil {
      try handle.setTrustRoots(.only(file: server.certificateFile, directory: server.certificateDirectory))
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
      try handle.set(.user, mechanism == .oauthbearer ? SMTPLogin.escaped(user) : user)
      try handle.set(.bearer, accessToken?.token)
    }
    return handle
  }

  /// Milliseconds until the session has to be renewed; `nil`: a password's session has no end.
  private static func end(_ login: SMTPLogin, _ accessToken: Token?) -> Int? {
    guard case .account = login else { return nil }
    guard let seconds = accessToken?.expiresIn else { return maxSessionTime }
    let life = Int(clamping: seconds).multipliedReportingOverflow(by: 1_000)
    if life.overflow { return maxSessionTime }
    // A minute before the end; of a token that hardly lives, half.
    return max(life.partialValue - 60_000, life.partialValue / 2)
  }

  /// Whether it is young enough for a mail.
  func isUsable(now: Int) -> Bool {
    if let expires, now >= expires { return false }
    return now - lastUsed < Self.maxIdleTime
  }

  /// Whether it stands and nothing has come unasked: what had would pass for a reply to the next command.
  func hasNoUnsolicitedReply() -> Bool { stream.hasNoUnsolicitedReply() }

  /// Carries `mail` to some of its recipients.
  func send(
    _ mail: SMTPMessage, to recipients: [Int], _ quirks: ServerQuirks, now: Int
  ) -> (result: TransactionResult, mode: TransactionMode) {
    let isStale = now - lastUsed >= Self.staleAfter
    let mode = TransactionMode(capabilities, quirks: quirks, isStale: isStale)
    var transaction = SMTPTransaction(
      mail, recipients: recipients, mode: mode, capabilities: capabilities)
    let result = transaction.run(stream, buffer, resetFirst: needsReset)
    needsReset = result.needsReset
    lastUsed = now
    return (result, mode)
  }

  /// Marks that it waits in the pool, where its peer may part from it.
  func markReused() { isReused = true }

  /// Says goodbye without waiting for the answer.
  func sendQuit() {
    guard stream.hasNoUnsolicitedReply() else { return }
    buffer.removeAll()
    buffer.append("QUIT\r\n")
    do throws(SMTPStreamError) {
      try stream.send(buffer.bytes) { _ in true }
      stream.parser.reset()
      hasSentQuit = true
    } catch {
      // It is gone already.
    }
  }

  private var hasSentQuit = false

  /// Waits for the answer to `sendQuit` until the moment `end`, of `MonotonicClock`.
  func awaitQuitReply(until end: Int) {
    guard hasSentQuit else { return }
    while stream.parser.replies.isEmpty {
      let left = end - MonotonicClock.milliseconds()
      guard left > 0, stream.handle.wait(for: .readable, milliseconds: left) else { return }
      do throws(SMTPStreamError) {
        _ = try stream.readAvailable()
      } catch {
        return
      }
    }
  }
}

/// What a server's last EHLO offered.
struct Capabilities: Sendable, Equatable {
  /// Commands may be sent in groups (RFC 2920).
  var pipelining = false
  /// BDAT (RFC 3030).
  var chunking = false
  /// Bytes above 127 in a body (RFC 6152).
  var eightBitMIME = false
  /// UTF-8 in addresses and headers (RFC 6531).
  var smtpUTF8 = false
  /// The SIZE parameter is known (RFC 1870).
  var size = false
  /// The largest mail taken, in bytes; `nil` when none is named.
  var maxSize: Int?
  /// Replies carry enhanced status codes (RFC 2034).
  var enhancedStatusCodes = false
  /// The login mechanisms.
  var mechanisms: [String] = []

  init() {}

  /// Reads the lines of an EHLO reply; the first is the server's name.
  init(lines: some Sequence<String>) {
    for line in lines.dropFirst() {
      let words = line.split(separator: " ")
      switch words.first?.uppercased() {
      case "PIPELINING": pipelining = true
      case "CHUNKING": chunking = true
      case "8BITMIME": eightBitMIME = true
      case "SMTPUTF8": smtpUTF8 = true
      case "ENHANCEDSTATUSCODES": enhancedStatusCodes = true
      case "SIZE":
        size = true
        // 0 means no fixed maximum (RFC 1870, 4).
        maxSize = words.dropFirst().first.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
      case "AUTH": mechanisms = words.dropFirst().map { $0.uppercased() }
      default: break
      }
    }
  }
}
