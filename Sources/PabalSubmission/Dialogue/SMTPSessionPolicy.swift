package import PabalCore

/// What a session offers, requires and limits.
package struct SMTPSessionPolicy: Sendable {
  /// The service's name in the greeting, the reply to EHLO and Received fields.
  package var hostName = "localhost"
  /// The maximum size of a mail in bytes.
  package var maxSize = 36_700_160
  /// The maximum number of recipients of a mail.
  package var maxRecipients = 1_000
  /// After how many rejected commands since the last mail the session ends.
  package var maxErrors = 20
  /// How many commands that bring no mail nearer, such as NOOP and RSET, may follow each other; more count as rejected.
  package var maxIdleCommands = 100
  /// Whether STARTTLS is offered while the connection isn't encrypted.
  package var offersTLS = false
  /// Whether AUTH is possible on this connection without TLS, as over the Unix socket.
  package var allowsPlaintextLogin = false
  /// Whether users are configured, so that AUTH is offered.
  package var hasUsers = false
  /// Whether lines of commands and content may end with LF alone, as `sendmail -bs` permits.
  package var acceptsLF = false
  /// Whether commands and content may arrive before the replies that they have to wait for, as in a script on the
  /// standard input of `sendmail -bs`.
  package var acceptsBatch = false
  /// Whether the client may choose the queue id of its mail, as `sendmail` does over the Unix socket, so that a mail that
  /// it repeats after a lost reply isn't queued twice.
  package var acceptsQueueIDs = false

  /// The defaults.
  package init() {}
}

/// The client's side of a connection.
package struct SMTPPeer: Sendable, Hashable {
  /// The client's IP address; `nil` for a process on this machine over a socket or pipe.
  package var address: String?
  /// Whether the connection is encrypted from its start.
  package var isEncrypted: Bool
  /// Who the client is without AUTH: a listed network, a local process; `nil` if it has to log in.
  package var submitter: Submitter?

  /// The client of a connection.
  package init(address: String?, isEncrypted: Bool = false, submitter: Submitter? = nil) {
    self.address = address
    self.isEncrypted = isEncrypted
    self.submitter = submitter
  }
}
