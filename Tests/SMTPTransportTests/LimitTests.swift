import Testing

@testable import SMTPTransport

/// How long a server is waited for at each stage, and what the kernel shows about a connection that ended.
@Suite struct LimitTests {
  @Test func `the default is a minute before the mail was sent and ten minutes afterwards`() {
    #expect(SMTPLimits() == SMTPLimits(reply: 60_000, finalReply: 600_000))
  }

  @Test(arguments: [[], ["CHUNKING"], ["PIPELINING"]])
  func `after its last byte, a mail is waited for longer`(_ missing: [String]) throws {
    let port = try hostile(["final": SMTPServerAction(delay: 1.2)], without: missing)
    #expect(SMTPTestMail.small.outcomes(port.client(timeout: 500, finalTimeout: 20_000)) == [.sent])
    // In one flight, the replies to MAIL and RCPT also follow the last byte.
    guard missing.isEmpty else { return }
    let slow = try hostile(["mail": SMTPServerAction(delay: 1.2), "rcpt": SMTPServerAction(delay: 1.2)])
    #expect(SMTPTestMail.small.outcomes(slow.client(timeout: 500, finalTimeout: 20_000)) == [.sent])
  }

  @Test(arguments: ["tls", "starttls", "none"])
  func `each reply before the mail has its own limit`(_ security: String) throws {
    let late = SMTPServerAction.late(0.7)
    var script = SMTPServerScript(
      ["greeting": late, "ehlo": late, "starttls": late, "mail": late, "rcpt": late, "data": late],
      without: ["CHUNKING"])
    script.security = security
    let client = try hostile(script).client(security == "none" ? .none : HostilePort.login, timeout: 1_200)
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
  }

  @Test func `before its last byte, a mail isn't waited for longer`() throws {
    for place in ["mail", "rcpt", "data"] {
      let port = try hostile([place: .stall], without: ["CHUNKING"])
      #expect(SMTPTestMail.small.outcomes(port.client(timeout: 500, finalTimeout: 100_000)) == [.deferred])
    }
  }

  @Test func `a mail of which a closed connection received no byte is deferred`() throws {
    for missing in [[], ["CHUNKING"], ["PIPELINING"]] {
      let port = try hostile([:], without: missing)
      let connection = try SMTPConnection(port.server(), SMTPTestMail.accessToken, now: 0)
      // As if the server had closed the connection after the client last looked at it.
      try port.hangUp()
      let bytes = SMTPTestMail.small.bytes
      let result = bytes.withUnsafeBytes { bytes in
        var mail = SMTPMessage(sender: "alice@example.test", recipients: ["bob@example.net"], bytes: bytes)
        return connection.send(&mail, to: [0], [], now: 0).result
      }
      #expect(result.recipientResults.map(\.recipientResult.outcome) == [.deferred])
      #expect(result.next == .nothingAccepted)
      #expect(!result.isSound)
    }
  }

  @Test func `a mail that a server read before it closed the connection is unknown`() throws {
    for act in [SMTPServerAction.close, .reset] {
      for place in ["mail", "rcpt", "final"] {
        let port = try hostile([place: act])
        #expect(SMTPTestMail.small.outcomes(port.client()) == [.unknown])
      }
    }
  }
}
