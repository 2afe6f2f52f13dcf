package import PabalCore

/// The server's side of an SMTP dialogue (RFC 5321), without input and output of its own.
///
/// The driver appends what arrives, calls ``next()``, writes ``output``, and carries out the step that it returned. The
/// listener, `sendmail -bs` and the drop directory drive the same session.
package struct SMTPSession {
  /// What the driver has to do next, after it has written the output.
  package enum Step {
    /// Append more input.
    case read
    /// Judge a user name and a password, then call ``authenticated(_:)``.
    case authenticate(SMTPCredentials)
    /// Begin TLS, then call ``startedTLS(certificate:)``. Input that arrived before is gone.
    case startTLS
    /// Queue a mail, then call ``submitted(_:)``.
    case submit(SMTPSubmission)
    /// Close the connection.
    case close
  }

  /// The replies that have to be written before the next step is carried out.
  package private(set) var output: [UInt8] = []

  private let policy: SMTPSessionPolicy
  private let peer: SMTPPeer
  private var input: [UInt8] = []

  /// Begins a dialogue; the output then has the greeting.
  package init(_ policy: SMTPSessionPolicy, peer: SMTPPeer) {
    self.policy = policy
    self.peer = peer
  }

  /// Returns the output and empties it.
  package mutating func takeOutput() -> [UInt8] { exchange(&output, with: []) }

  /// Appends input from the client.
  package mutating func append(_ bytes: some Sequence<UInt8>) { input.append(contentsOf: bytes) }

  /// Records that the client has closed its side; the next steps end the session.
  package mutating func endInput() {}

  /// Works on the input up to the next step.
  package mutating func next() -> Step { .close }

  /// Continues after ``Step/authenticate(_:)``.
  package mutating func authenticated(_ result: SMTPAuthenticationResult) {}

  /// Continues after ``Step/startTLS``; `submitter` is who a verified client certificate stands for.
  package mutating func startedTLS(submitter: Submitter?) {}

  /// Continues after ``Step/submit(_:)``.
  package mutating func submitted(_ result: SMTPSubmissionResult) {}
}

/// What a session offers, requires and limits.
package struct SMTPSessionPolicy: Sendable {
  /// The service's name in the greeting, the reply to EHLO and Received fields.
  package var hostName = "localhost"
  /// The maximum size of a mail in bytes.
  package var maxSize = 36_700_160
  /// The maximum number of recipients of a mail.
  package var maxRecipients = 1_000
  /// After how many rejected commands the session ends.
  package var maxErrors = 20
  /// Whether STARTTLS is offered while the connection isn't encrypted.
  package var offersTLS = false
  /// Whether AUTH is possible on this connection without TLS, as over the Unix socket.
  package var allowsPlaintextLogin = false
  /// Whether users are configured, so that AUTH is offered.
  package var hasUsers = false
  /// Whether lines of commands and content may end with LF alone, as `sendmail -bs` permits.
  package var acceptsLF = false

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

/// A user name and a password as a client sent them. Not to be logged.
package struct SMTPCredentials: Sendable {
  /// The authorization identity of PLAIN, empty if there is none.
  package var authorization: String
  /// The user name.
  package var user: String
  /// The password.
  package var password: [UInt8]
}

/// The result of a login.
package enum SMTPAuthenticationResult: Sendable {
  /// The password is right.
  case accepted(Submitter)
  /// The user doesn't exist, or the password is wrong.
  case rejected
  /// Too many logins; the client should come back later.
  case limited
}

/// A complete mail with its envelope, as a client handed it over.
package struct SMTPSubmission: Sendable {
  /// The reverse path; `nil` stands for `<>`.
  package var sender: Address?
  /// The recipients, in order.
  package var recipients: [Address]
  /// The mail, without dot-stuffing; its lines end with CRLF unless the session accepts LF.
  package var bytes: [UInt8]
  /// Whether MAIL had SMTPUTF8 (RFC 6531).
  package var isInternational: Bool
  /// Who submits it.
  package var submitter: Submitter
  /// The value of the Received field that the mail gets, without its date and id.
  package var trace: SMTPTrace
}

/// What a Received field says about a transaction (RFC 5321, 4.4).
package struct SMTPTrace: Sendable, Hashable {
  /// The name after HELO, EHLO or LHLO.
  package var greeting: String
  /// The client's address; `nil` for a process on this machine.
  package var address: String?
  /// SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA or their UTF8 forms (RFC 3848, RFC 6531).
  package var transmission: String
}

/// The result of queueing a submission.
package enum SMTPSubmissionResult: Sendable {
  /// The mail is durable under this id.
  case queued(id: String)
  /// The mail isn't stored.
  case refused(SMTPReply)
}

/// A reply of the service.
package struct SMTPReply: Sendable, Hashable {
  /// The three digits.
  package var code: Int
  /// The enhanced status code, such as `5.7.1` (RFC 3463); `nil` for replies that have none.
  package var status: String?
  /// The lines of text.
  package var text: [String]

  /// A reply with one line of text.
  package init(_ code: Int, _ status: String? = nil, _ text: String) {
    self.code = code
    self.status = status
    self.text = [text]
  }
}
