internal import PabalCore

/// What a session knows about its client.
struct SMTPClient {
  /// How the client greeted.
  struct Greeting {
    var name: String
    /// Whether it was EHLO.
    var isExtended: Bool
  }

  private let peer: SMTPPeer
  /// The client's greeting; `nil` before it.
  private(set) var greeting: Greeting?
  /// Who the client is; `nil` while it has to log in.
  private(set) var submitter: Submitter?
  /// Whether the connection is encrypted.
  private(set) var isEncrypted: Bool
  /// Whether the client proved a password.
  private(set) var isLoggedIn = false

  init(_ peer: SMTPPeer) {
    self.peer = peer
    submitter = peer.submitter
    isEncrypted = peer.isEncrypted
  }

  /// Records a greeting.
  mutating func greet(_ name: String, isExtended: Bool) {
    greeting = Greeting(name: name, isExtended: isExtended)
  }

  /// Throws the reply if the client can't log in now.
  func requireLogin(_ policy: SMTPSessionPolicy) throws(SMTPReply) {
    guard greeting != nil else { throw .greetingMissing }
    guard policy.hasUsers else { throw .loginUnavailable }
    guard isEncrypted || policy.allowsPlaintextLogin else { throw .encryptionRequired }
    guard !isLoggedIn else { throw .alreadyLoggedIn }
  }

  /// Throws the reply if TLS can't begin now.
  func requireTLS(_ policy: SMTPSessionPolicy) throws(SMTPReply) {
    guard !isEncrypted else { throw .alreadyEncrypted }
    guard policy.offersTLS else { throw .tlsUnavailable }
  }

  /// Records a login.
  mutating func logIn(as submitter: Submitter) {
    self.submitter = submitter
    isLoggedIn = true
  }

  /// Records that TLS was begun, by the holder of a certificate if there is a submitter. What the client said before is
  /// forgotten, because it may have been changed on the way (RFC 3207, 4.2).
  mutating func startTLS(submitter: Submitter?) {
    self = SMTPClient(peer)
    isEncrypted = true
    self.submitter = submitter ?? peer.submitter
  }

  /// Returns the lines of the reply to EHLO after the first one.
  func extensions(_ policy: SMTPSessionPolicy) -> [String] {
    var extensions = [
      "SIZE \(policy.maxSize)", "8BITMIME", "PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES", "SMTPUTF8",
      "DSN",
      "LIMITS RCPTMAX=\(policy.maxRecipients)",
    ]
    if policy.acceptsQueueIDs { extensions.append("XQUEUEID") }
    if policy.offersTLS, !isEncrypted { extensions.append("STARTTLS") }
    if policy.hasUsers, isEncrypted || policy.allowsPlaintextLogin { extensions.append("AUTH PLAIN LOGIN") }
    return extensions
  }

  /// Returns what the Received field of a mail says (RFC 5321, 4.4; RFC 3848; RFC 6531, 4.3).
  func trace(isInternational: Bool) -> SMTPTrace {
    var transmission = "SMTP"
    if greeting?.isExtended == true {
      transmission =
        (isInternational ? "UTF8SMTP" : "ESMTP") + (isEncrypted ? "S" : "") + (isLoggedIn ? "A" : "")
    }
    return SMTPTrace(greeting: greeting?.name ?? "", address: peer.address, transmission: transmission)
  }
}
