package import PabalCore

/// A reply of the service.
package struct SMTPReply: Error, Sendable, Hashable {
  /// The three digits.
  package var code: Int
  /// The enhanced status code, such as `5.7.1` (RFC 3463); `nil` for replies that have none.
  package var status: String?
  /// The lines of text.
  package var text: [String]

  /// A reply with one line of text.
  package init(_ code: Int, _ status: String? = nil, _ text: String) {
    self.init(code, status, lines: [text])
  }

  /// The reply to a sender that the submitter may not use.
  package init(_ refusal: SenderRefusal) { self.init(550, "5.7.1", refusal.description) }

  /// A reply with several lines of text; at least one.
  package init(_ code: Int, _ status: String? = nil, lines: [String]) {
    self.code = code
    self.status = status
    self.text = lines
  }

  /// The maximum length of a line with its CRLF (RFC 5321, 4.5.3.1.5).
  private static let lineLimit = 512

  /// Appends the reply as it is sent. Characters other than printable ASCII become question marks, and long lines are
  /// cut, because a text may quote what the client sent.
  package func append(to output: inout [UInt8]) {
    for (index, line) in text.enumerated() {
      let start = output.count
      output.append(contentsOf: String(code).utf8)
      output.append(UInt8(ascii: index < text.count - 1 ? "-" : " "))
      if let status {
        output.append(contentsOf: status.utf8)
        output.append(UInt8(ascii: " "))
      }
      for scalar in line.unicodeScalars {
        guard output.count - start < SMTPReply.lineLimit - 2 else { break }
        output.append((0x20...0x7E).contains(scalar.value) ? UInt8(scalar.value) : UInt8(ascii: "?"))
      }
      output.append(0x0D)
      output.append(0x0A)
    }
  }
}

// The replies that depend on nothing but the command.
extension SMTPReply {
  static let reset = SMTPReply(250, "2.0.0", "OK")
  static let goodbye = SMTPReply(221, "2.0.0", "goodbye")
  static let verify = SMTPReply(252, "2.0.0", "addresses aren't verified; send the mail")
  static let help = SMTPReply(
    214, "2.0.0",
    lines: [
      "Pabal queues mail and sends it by the transports of its configuration",
      "EHLO HELO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT",
    ])
  static let startContent = SMTPReply(354, nil, "send the mail, ended by a line with a single dot")
  static let startTLS = SMTPReply(220, "2.0.0", "ready for TLS")
  static let senderOK = SMTPReply(250, "2.1.0", "OK")
  static let recipientOK = SMTPReply(250, "2.1.5", "OK")
  static let chunkOK = SMTPReply(250, "2.0.0", "chunk received")

  static let unknownCommand = SMTPReply(500, "5.5.1", "unknown command")
  static let notImplemented = SMTPReply(502, "5.5.1", "command not implemented")
  static let notSMTP = SMTPReply(500, "5.5.1", "this is an SMTP service")
  static let emptyCommand = SMTPReply(500, "5.5.2", "empty command line")
  static let lineTooLong = SMTPReply(500, "5.5.6", "command line too long")
  static let bareLineFeed = SMTPReply(500, "5.5.2", "bare LF in a command; lines end with CRLF")
  static let controlCharacter = SMTPReply(500, "5.5.2", "control character in a command")
  static let notASCII = SMTPReply(500, "5.5.2", "only addresses may have non-ASCII characters, in UTF-8")
  static let loginCancelled = SMTPReply(501, "5.7.0", "authentication cancelled")
  static let loginMalformed = SMTPReply(501, "5.5.2", "the response isn't Base64 of the mechanism's form")
  static let unknownMechanism = SMTPReply(504, "5.5.4", "unknown mechanism; use PLAIN or LOGIN")
  static let loggedIn = SMTPReply(235, "2.7.0", "authenticated")
  static let loginRejected = SMTPReply(535, "5.7.8", "the user name or the password is wrong")
  static let loginLimited = SMTPReply(454, "4.7.0", "too many logins; try again later")

  static let noParameters = SMTPReply(501, "5.5.4", "the command has no parameters")
  static let pipelined = SMTPReply(
    554, "5.5.0", "input arrived before the reply that it has to wait for")
  static let tooManyErrors = SMTPReply(421, "4.7.0", "too many rejected commands")

  static let greetingMissing = SMTPReply(503, "5.5.1", "send EHLO first")
  static let nameMissing = SMTPReply(501, "5.5.4", "the host name is missing")
  static let authenticationRequired = SMTPReply(530, "5.7.0", "authentication required")
  static let nestedMail = SMTPReply(503, "5.5.1", "a mail is in progress; send RSET first")
  static let mailMissing = SMTPReply(503, "5.5.1", "send MAIL first")
  static let recipientMissing = SMTPReply(503, "5.5.1", "send RCPT first")
  static let noValidRecipients = SMTPReply(554, "5.5.1", "no valid recipients")
  static let mixedContent = SMTPReply(503, "5.5.1", "the mail was begun with BDAT")
  static let contentBegun = SMTPReply(503, "5.5.1", "the content has begun; send RSET first")
  static let failedContent = SMTPReply(503, "5.5.1", "an earlier chunk failed; send RSET first")
  static let tooManyRecipients = SMTPReply(452, "4.5.3", "too many recipients")

  static let tlsUnavailable = SMTPReply(502, "5.5.1", "TLS isn't available")
  static let alreadyEncrypted = SMTPReply(503, "5.5.1", "the connection is encrypted already")
  static let loginUnavailable = SMTPReply(502, "5.5.1", "authentication isn't available")
  static let alreadyLoggedIn = SMTPReply(503, "5.5.1", "authenticated already")
  static let loginDuringMail = SMTPReply(503, "5.5.1", "AUTH isn't possible during a mail")
  static let encryptionRequired = SMTPReply(538, "5.7.11", "authentication requires TLS; send STARTTLS first")

  static let bareLineEndInContent = SMTPReply(550, "5.6.0", "bare CR or LF in the mail; lines end with CRLF")
  static let nulInContent = SMTPReply(550, "5.6.0", "NUL character in the mail")

  /// The reply to a mail that is larger than the limit.
  static func tooLarge(_ limit: Int) -> SMTPReply {
    SMTPReply(552, "5.3.4", "the mail is larger than the limit of \(limit) bytes")
  }
}
