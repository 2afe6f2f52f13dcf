internal import PabalFormats
internal import PabalPlugin

/// One authenticated connection, which carries one mail at a time.
///
/// Sendable without locks because the pool lends a connection to one caller at a time.
final class SMTPConnection: @unchecked Sendable {
  /// Idle time (ms) after which the connection may be half-open; the envelope is then sent separately, because a
  /// connection that breaks before the body was sent leaves nothing unknown.
  static let staleAfter = 5_000
  /// Idle time (ms) after which the connection is closed. libcurl keeps connections for up to 118 s.
  static let maxIdleTime = 115_000
  /// The lifetime (ms) of a session whose token has no known expiry. Access tokens usually last an hour.
  static let maxSessionTime = 50 * 60_000

  let capabilities: Capabilities
  let redactor: SecretRedactor
  private let stream: SMTPStream
  private let buffer = CommandBuffer()
  private let expires: Int?
  private var lastUsed: Int
  private var needsReset = false
  /// Whether the connection has been in the pool, where the server may close it unnoticed, or had a transaction, so
  /// that a limit of the server's may have been reached.
  private(set) var isReused = false

  /// Connects and logs in.
  init(_ server: SMTPServer, _ accessToken: Token?, now: Int) throws(ConnectionError) {
    let redactor = SecretRedactor(server.login, accessToken, host: server.host, port: server.port)
    (stream, capabilities) = try ConnectionSetup(server, accessToken, redactor).open()
    stream.parser.reset()
    self.redactor = redactor
    expires = Self.sessionLifetime(server.login, accessToken).map { now + $0 }
    lastUsed = now
  }

  /// Returns the milliseconds after which a new session is needed; `nil` for a password, whose session doesn't
  /// expire.
  private static func sessionLifetime(_ login: SMTPLogin, _ accessToken: Token?) -> Int? {
    guard case .account = login else { return nil }
    guard let seconds = accessToken?.expiresIn else { return maxSessionTime }
    let life = Int(clamping: seconds).multipliedReportingOverflow(by: 1_000)
    if life.overflow { return maxSessionTime }
    // A minute before the token expires, or after half its lifetime if that is shorter.
    return max(life.partialValue - 60_000, life.partialValue / 2)
  }

  /// Whether a mail can be sent at `now`: neither idle for too long nor close to the token's expiry.
  func isUsable(now: Int) -> Bool {
    if let expires, now >= expires { return false }
    return now - lastUsed < Self.maxIdleTime
  }

  /// Whether the connection is open and has nothing to read. Unread data would be taken for the reply to the next
  /// command.
  func hasNoUnsolicitedReply() -> Bool { stream.hasNoUnsolicitedReply() }

  /// Runs one transaction with `mail` for `recipients`, given by their indices.
  func send(
    _ mail: inout SMTPMessage, to recipients: [Int], _ quirks: ServerQuirks, now: Int
  ) -> (result: TransactionResult, mode: TransactionMode) {
    let isStale = now - lastUsed >= Self.staleAfter
    let mode = TransactionMode(capabilities, quirks: quirks, isStale: isStale) { mail.containsCommand }
    var transaction = SMTPTransaction(
      mail, recipients: recipients, mode: mode, capabilities: capabilities)
    let result = transaction.run(stream, buffer, resetFirst: needsReset)
    needsReset = result.needsReset
    lastUsed = now
    isReused = true
    if result.isRetired { sendQuit() }
    return (result, mode)
  }

  /// Records that the connection has been in the pool.
  func markReused() { isReused = true }

  /// Sends QUIT without waiting for the reply.
  func sendQuit() {
    guard stream.hasNoUnsolicitedReply() else { return }
    buffer.removeAll()
    buffer.append("QUIT\r\n")
    do throws(SMTPStreamError) {
      try stream.send(buffer.bytes) { _ in true }
      stream.parser.reset()
      hasSentQuit = true
    } catch {
      // The connection is closed already.
    }
  }

  private var hasSentQuit = false

  /// Waits for the reply to `sendQuit` until `end`, in milliseconds of `MonotonicClock`.
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

/// The extensions in a server's last EHLO reply.
struct Capabilities: Sendable, Equatable {
  /// PIPELINING: commands may be sent in groups (RFC 2920).
  var pipelining = false
  /// STARTTLS: TLS may be added to the connection (RFC 3207).
  var startTLS = false
  /// CHUNKING: BDAT instead of DATA (RFC 3030).
  var chunking = false
  /// 8BITMIME: bytes above 127 in a body (RFC 6152).
  var eightBitMIME = false
  /// SMTPUTF8: UTF-8 in addresses and headers (RFC 6531).
  var smtpUTF8 = false
  /// SIZE: MAIL may announce the mail's size (RFC 1870).
  var size = false
  /// The maximum size of a mail in bytes; `nil` if the server states none.
  var maxSize: Int?
  /// ENHANCEDSTATUSCODES: replies contain codes such as 5.7.1 (RFC 2034).
  var enhancedStatusCodes = false
  /// The SASL mechanisms after AUTH, in upper case.
  var mechanisms: [String] = []

  init() {}

  /// The extensions in the lines of an EHLO reply, the first of which is the server's name.
  init(lines: some Sequence<String>) {
    for line in lines.dropFirst() {
      let words = line.split(separator: " ")
      // Keywords are case-insensitive (RFC 5321, 4.1.1.1).
      switch words.first?.uppercased() {
      case "PIPELINING": pipelining = true
      case "STARTTLS": startTLS = true
      case "CHUNKING": chunking = true
      case "8BITMIME": eightBitMIME = true
      case "SMTPUTF8": smtpUTF8 = true
      case "ENHANCEDSTATUSCODES": enhancedStatusCodes = true
      case "SIZE":
        size = true
        // 0 means no fixed maximum (RFC 1870, 4).
        maxSize = words.dropFirst().first.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
      case "AUTH": mechanisms += words.dropFirst().map { $0.uppercased() }
      // The form of a draft, which old servers offer as well or instead.
      case let keyword? where keyword.hasPrefix("AUTH="):
        mechanisms += [String(keyword.dropFirst(5))] + words.dropFirst().map { $0.uppercased() }
      default: break
      }
    }
  }
}
