package import PabalCore

/// A mail in a file: the commands and the content that a client would send over a connection (RFC 2442).
package enum SMTPBatch {
  /// How a batch ended.
  package enum Result: Sendable {
    /// Its mail is durable.
    case queued(recipients: Int, bytes: Int)
    /// It is refused as a whole; nothing is stored.
    case refused(SMTPReply)
  }

  /// Passes the mail of the batch `bytes` to `submit`, unless a command of the batch is rejected.
  ///
  /// A rejected recipient refuses the whole batch, because its writer can't be asked about the others.
  package static func run(
    _ bytes: [UInt8], _ policy: SMTPSessionPolicy, submitter: Submitter,
    submit: (SMTPSubmission) async -> SMTPSubmissionResult
  ) async -> Result {
    var session = SMTPSession(policy, peer: SMTPPeer(address: nil, submitter: submitter))
    // The session rejects commands that a client sends before it has seen the reply to EHLO.
    let greeting = (bytes.firstIndex(of: 0x0A) ?? bytes.count - 1) + 1
    var parts = [bytes[..<greeting], bytes[greeting...]][...]
    var hasEnded = false
    while true {
      let step = session.next()
      if let reply = rejection(in: session.takeOutput()) { return .refused(reply) }
      switch step {
      case .read:
        if let part = parts.popFirst() {
          session.append(part)
        } else if !hasEnded {
          hasEnded = true
          session.endInput()
        } else {
          return .refused(incomplete)
        }
      case .submit(let submission):
        // A second mail behind the first would vanish with the file.
        guard session.isAtEnd(allowing: "QUIT") && parts.isEmpty else { return .refused(incomplete) }
        switch await submit(submission) {
        case .queued:
          return .queued(recipients: submission.recipients.count, bytes: submission.bytes.count)
        case .refused(let reply): return .refused(reply)
        }
      case .authenticate, .startTLS, .close: return .refused(incomplete)
      }
    }
  }

  private static let incomplete = SMTPReply(554, "5.6.0", "The file isn't a complete mail with its envelope")

  /// Returns the first reply in `output` that rejects a command.
  private static func rejection(in output: [UInt8]) -> SMTPReply? {
    for line in output.split(separator: 0x0A) {
      let text = String(decoding: line, as: UTF8.self).trimmed
      guard let code = Int(text.prefix(3)), code >= 400 else { continue }
      // The commands stay what they are: a refusal for now, such as that of too many recipients, is one for good.
      return SMTPReply(code < 500 ? 554 : code, nil, String(text.dropFirst(4)))
    }
    return nil
  }
}
