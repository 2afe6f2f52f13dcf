import PabalCore
import Testing

@testable import PabalSubmission

@Suite struct `Logging in to an SMTP session` {
  private func dialogue(isEncrypted: Bool = true, greets: Bool = true) -> Dialogue {
    var policy = SMTPSessionPolicy()
    policy.hasUsers = true
    policy.offersTLS = true
    var dialogue = Dialogue(policy, peer: SMTPPeer(address: "192.0.2.7", isEncrypted: isEncrypted))
    if greets { dialogue.send("EHLO client\n") }
    return dialogue
  }

  /// Lines of an exchange, and how the reply to the last one begins.
  private static let failures: [(lines: [String], reply: String)] = [
    (["AUTH"], "501 5.5.4"),
    (["AUTH PLAIN a b"], "501 5.5.4"),
    (["AUTH CRAM-MD5"], "504 5.5.4"),
    (["AUTH PLAIN ="], "501 5.5.2"),
    (["AUTH PLAIN !"], "501 5.5.2"),
    (["AUTH PLAIN AGtpbQBzZWNyZXQ"], "501 5.5.2"),
    // One, two and four parts.
    (["AUTH PLAIN a2lt"], "501 5.5.2"),
    (["AUTH PLAIN AGtpbQ=="], "501 5.5.2"),
    (["AUTH PLAIN AGtpbQBhAGI="], "501 5.5.2"),
    // A user name that isn't UTF-8.
    (["AUTH PLAIN AP8Acw=="], "501 5.5.2"),
    (["AUTH PLAIN", "*"], "501 5.7.0"),
    (["AUTH PLAIN", ""], "501 5.5.2"),
    (["AUTH LOGIN", "*"], "501 5.7.0"),
    (["AUTH LOGIN", "a2lt", "*"], "501 5.7.0"),
    (["AUTH LOGIN", "kim"], "501 5.5.2"),
    (["AUTH LOGIN", "a2lt", "s"], "501 5.5.2"),
    (["AUTH LOGIN", "a\tb"], "500 5.5.2"),
    (["AUTH LOGIN", String(repeating: "a", count: 12_289)], "500 5.5.6"),
    (["MAIL FROM:<a@b>"], "530 5.7.0"),
  ]

  @Test func `fails with a reply that says why, and the exchange is over`() {
    for (lines, expected) in Self.failures {
      var dialogue = dialogue()
      var reply = ""
      for line in lines { reply = dialogue.send(line + "\n") }
      #expect(reply.hasPrefix(expected), "\(lines): \(reply)")
      #expect(dialogue.credentials.isEmpty)
      #expect(dialogue.send("NOOP\n") == "250 2.0.0 OK\n", "\(lines)")
    }
  }

  @Test func `takes a response of 12,288 bytes`() {
    var dialogue = dialogue()
    dialogue.send("AUTH LOGIN\n")
    dialogue.send("a2lt\n")
    dialogue.login = .rejected
    #expect(dialogue.send(String(repeating: "a", count: 12_288) + "\n").hasPrefix("535 5.7.8"))
    #expect(dialogue.credentials.first?.password.count == 9_216)
  }

  @Test func `replies with the result`() {
    var dialogue = dialogue()
    dialogue.login = .rejected
    #expect(dialogue.send("AUTH PLAIN AGtpbQBz\n") == "535 5.7.8 the user name or the password is wrong\n")
    dialogue.login = .limited
    #expect(dialogue.send("AUTH PLAIN AGtpbQBz\n") == "454 4.7.0 too many logins; try again later\n")
    #expect(dialogue.send("MAIL FROM:<a@b>\n").hasPrefix("530"))
    dialogue.login = .accepted(.user("kim"))
    #expect(dialogue.send("AUTH PLAIN YWRtaW4Aa2ltAHM=\n") == "235 2.7.0 authenticated\n")
    #expect(
      dialogue.credentials.last == SMTPCredentials(authorization: "admin", user: "kim", password: [0x73]))
    #expect(dialogue.send("AUTH PLAIN AGtpbQBz\n").hasPrefix("503 5.5.1"))
    #expect(dialogue.session.submitter == .user("kim"))
  }

  @Test func `counts failures as rejected commands`() {
    for result in [SMTPAuthenticationResult.rejected, .limited] {
      var dialogue = dialogue()
      dialogue.login = result
      for _ in 0..<30 where !dialogue.isClosed { dialogue.send("AUTH PLAIN AGtpbQBz\n") }
      #expect(dialogue.isClosed)
      #expect(dialogue.credentials.count == 20)
      #expect(dialogue.codes.last == 421)
    }
  }

  @Test func `needs TLS, a greeting, and no mail in progress`() {
    var dialogue = dialogue(isEncrypted: false)
    #expect(dialogue.send("AUTH PLAIN AGtpbQBz\n").hasPrefix("538 5.7.11"))
    #expect(dialogue.send("MAIL FROM:<a@b>\n").hasPrefix("530 5.7.0"))
    dialogue.send("STARTTLS\n")
    #expect(dialogue.send("AUTH PLAIN AGtpbQBz\n") == "503 5.5.1 send EHLO first\n")
    dialogue.send("EHLO client\n")
    #expect(dialogue.send("AUTH PLAIN AGtpbQBz\n").hasPrefix("235"))
    dialogue.send("EHLO client\n")
    #expect(dialogue.send("MAIL FROM:<a@b>\n").hasPrefix("250"))

    var policy = SMTPSessionPolicy()
    policy.hasUsers = true
    policy.allowsPlaintextLogin = true
    dialogue = Dialogue(policy)
    dialogue.send("EHLO client\n")
    dialogue.send("MAIL FROM:<a@b>\n")
    #expect(dialogue.send("AUTH PLAIN AGtpbQBz\n").hasPrefix("503 5.5.1"))
  }

  @Test func `is forgotten by STARTTLS`() {
    var policy = SMTPSessionPolicy()
    policy.hasUsers = true
    policy.allowsPlaintextLogin = true
    policy.offersTLS = true
    var dialogue = Dialogue(policy, peer: .remote)
    dialogue.send("EHLO client\n")
    dialogue.send("AUTH PLAIN AGtpbQBz\n")
    #expect(dialogue.session.submitter == .user("kim"))
    dialogue.send("STARTTLS\n")
    #expect(dialogue.session.submitter == nil)
    dialogue.send("EHLO client\n")
    #expect(dialogue.send("MAIL FROM:<a@b>\n").hasPrefix("530"))
  }

  @Test func `isn't needed with a client certificate`() {
    var policy = SMTPSessionPolicy()
    policy.offersTLS = true
    var session = SMTPSession(policy, peer: .remote)
    session.append("EHLO client\r\n".utf8)
    guard case .read = session.next() else { return }
    session.append("STARTTLS\r\n".utf8)
    guard case .startTLS = session.next() else {
      Issue.record("STARTTLS isn't a step")
      return
    }
    session.startedTLS(submitter: .certificate("printer"))
    session.append("EHLO client\r\nMAIL FROM:<a@b>\r\n".utf8)
    #expect(session.submitter == .certificate("printer"))
  }
}

@Suite struct `Input ahead of a reply` {
  @Test(arguments: [
    "EHLO client\nNOOP\n", "HELO client\nMAIL FROM:<a@b>\n", "EHLO client\nX", "STARTTLS\nNOOP\n",
    "STARTTLS\n\u{16}", "AUTH PLAIN AGtpbQBz\nNOOP\n", "AUTH LOGIN\na2lt\n", "DATA\nNOOP\n",
  ])
  func `ends the session`(_ input: String) {
    var policy = SMTPSessionPolicy()
    policy.hasUsers = true
    policy.allowsPlaintextLogin = true
    policy.offersTLS = true
    var dialogue = Dialogue(policy)
    #expect(dialogue.send(input).hasPrefix("554 5.5.0"))
    #expect(dialogue.isClosed)
    #expect(dialogue.codes == [220, 554])
    #expect(dialogue.handshakes == 0 && dialogue.credentials.isEmpty)
  }

  @Test func `ends the session where it waits for 354`() {
    var dialogue = Dialogue()
    dialogue.send("EHLO client\n")
    #expect(
      dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n.\nNOOP\n").hasSuffix(
        "554 5.5.0 input arrived before the reply that it has to wait for\n"))
    #expect(dialogue.submissions.isEmpty && dialogue.isClosed)
  }

  @Test func `ends the session where it waits for the second step of LOGIN`() {
    var policy = SMTPSessionPolicy()
    policy.hasUsers = true
    policy.allowsPlaintextLogin = true
    var dialogue = Dialogue(policy)
    dialogue.send("EHLO client\n")
    dialogue.send("AUTH LOGIN\n")
    #expect(dialogue.send("a2lt\nc2VjcmV0\n").hasPrefix("554 5.5.0"))
    #expect(dialogue.isClosed && dialogue.credentials.isEmpty)
  }

  @Test func `ends the session where it waits for the result of a login`() {
    var policy = SMTPSessionPolicy()
    policy.hasUsers = true
    policy.allowsPlaintextLogin = true
    var session = SMTPSession(policy, peer: .remote)
    session.append("EHLO client\r\n".utf8)
    _ = session.next()
    session.append("AUTH PLAIN AGtpbQBz\r\n".utf8)
    _ = session.next()
    _ = session.takeOutput()
    session.append("MAIL FROM:<a@b>\r\n".utf8)
    session.authenticated(.accepted(.user("kim")))
    #expect(session.output.starts(with: "554 5.5.0".utf8))
    guard case .close = session.next() else {
      Issue.record("the session goes on")
      return
    }
  }

  @Test func `isn't carried over into TLS`() {
    var policy = SMTPSessionPolicy()
    policy.offersTLS = true
    var session = SMTPSession(policy, peer: .local)
    session.append("STARTTLS\r\n".utf8)
    _ = session.next()
    session.append("EHLO injected\r\nMAIL FROM:<a@b>\r\n".utf8)
    session.startedTLS(submitter: nil)
    _ = session.takeOutput()
    guard case .read = session.next() else {
      Issue.record("the session doesn't wait for input")
      return
    }
    #expect(session.output.isEmpty)
  }

  @Test func `is allowed between the commands of a mail`() {
    var dialogue = Dialogue()
    dialogue.send("EHLO client\n")
    let replies = dialogue.send(
      "RSET\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nRCPT TO:<e@f>\nBDAT 3\na:bBDAT 2 LAST\n\nMAIL FROM:<>\nRCPT TO:<g@h>\nDATA\n"
    )
    #expect(
      replies.split(separator: "\n").map { $0.prefix(3) } == [
        "250", "250", "250", "250", "250", "250", "250", "250", "354",
      ])
    #expect(
      dialogue.send("x\n.\nMAIL FROM:<>\nQUIT\n").split(separator: "\n").map { $0.prefix(3) } == [
        "250", "250", "221",
      ])
    #expect(dialogue.submissions.map { String(decoding: $0.bytes, as: UTF8.self) } == ["a:b\r\n", "x\r\n"])
  }

  @Test func `is allowed in a script on standard input`() {
    var policy = SMTPSessionPolicy()
    policy.acceptsBatch = true
    policy.acceptsLF = true
    var dialogue = Dialogue(policy)
    dialogue.feed("EHLO me\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\na: b\n\n.x\n..\n.\nQUIT\n".utf8)
    dialogue.end()
    #expect(dialogue.codes == [220, 250, 250, 250, 354, 250, 221])
    #expect(
      dialogue.submissions.map { String(decoding: $0.bytes, as: UTF8.self) } == ["a: b\r\n\r\nx\r\n.\r\n"])
    // Where the commands end with CRLF, no other line end makes a second mail or takes a dot away.
    dialogue = Dialogue(policy)
    dialogue.feed(
      "EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\na: b\r\n\r\nx\n.\nMAIL FROM:<e@f>\n.\r\n..y\r\n.\r\n"
        .utf8)
    #expect(dialogue.codes == [220, 250, 250, 250, 354, 250])
    #expect(
      dialogue.submissions.map { String(decoding: $0.bytes, as: UTF8.self) }
        == ["a: b\r\n\r\nx\r\n.\r\nMAIL FROM:<e@f>\r\n.\r\n.y\r\n"])
    // The content of a mail that is refused isn't taken for commands.
    dialogue = Dialogue(policy)
    dialogue.feed("EHLO me\nMAIL FROM:<a@b>\nRCPT TO:<>\nDATA\nMAIL FROM:<x@y>\n.\n".utf8)
    #expect(dialogue.codes == [220, 250, 250, 501, 554] && dialogue.isClosed)
  }
}
