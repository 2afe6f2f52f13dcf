import PabalCore
import Testing

@testable import PabalSubmission

@Suite struct `An SMTP session` {
  @Test func `greets and offers its extensions`() {
    var policy = SMTPSessionPolicy()
    policy.hostName = "mail.example"
    policy.maxSize = 1_000
    policy.hasUsers = true
    policy.offersTLS = true
    var dialogue = Dialogue(policy)
    #expect(String(decoding: dialogue.output, as: UTF8.self) == "220 mail.example ESMTP Pabal\r\n")
    #expect(
      dialogue.send("EHLO client\n") == """
        250-mail.example
        250-SIZE 1000
        250-8BITMIME
        250-PIPELINING
        250-CHUNKING
        250-ENHANCEDSTATUSCODES
        250-SMTPUTF8
        250-DSN
        250-LIMITS RCPTMAX=1000
        250 STARTTLS

        """)
    #expect(dialogue.send("HELO client\n") == "250 mail.example\n")
    policy.allowsPlaintextLogin = true
    dialogue = Dialogue(policy)
    #expect(dialogue.send("EHLO client\n").hasSuffix("250-STARTTLS\n250 AUTH PLAIN LOGIN\n"))
  }

  @Test func `takes a mail by DATA`() throws {
    var dialogue = Dialogue()
    #expect(
      dialogue.send("EHLO client\n").hasPrefix("250-localhost\n"))
    #expect(
      dialogue.send(
        "MAIL FROM:<a@b.example> BODY=8BITMIME SIZE=99\nRCPT TO:<c@d.example>\nrcpt to:<e@f>\nDATA\n") == """
          250 2.1.0 OK
          250 2.1.5 OK
          250 2.1.5 OK
          354 send the mail, ended by a line with a single dot

          """)
    #expect(dialogue.send("Subject: x\n\n..dot\n.\nQUIT\n") == "250 2.0.0 queued as ID1\n221 2.0.0 goodbye\n")
    let mail = try #require(dialogue.submissions.first)
    #expect(try mail.sender == Address("a@b.example"))
    #expect(mail.recipients.map(\.description) == ["c@d.example", "e@f"])
    #expect(String(decoding: mail.bytes, as: UTF8.self) == "Subject: x\r\n\r\n.dot\r\n")
    #expect(mail.submitter == .local("root"))
    #expect(mail.trace == SMTPTrace(greeting: "client", address: nil, transmission: "ESMTP"))
    #expect(dialogue.isClosed)
  }

  @Test func `takes a mail by BDAT, all of it in one flight`() throws {
    var dialogue = Dialogue()
    dialogue.send("EHLO client\n")
    #expect(
      dialogue.send(
        "MAIL FROM:<>\nRCPT TO:<c@d>\nBDAT 5\na:b\nBDAT 7 LAST\n\n.\nxy\nQUIT\n".replacing("xy\n", with: "xy")
      ) == """
        250 2.1.0 OK
        250 2.1.5 OK
        250 2.0.0 chunk received
        250 2.0.0 queued as ID1
        221 2.0.0 goodbye

        """)
    let mail = try #require(dialogue.submissions.first)
    #expect(mail.sender == nil)
    #expect(String(decoding: mail.bytes, as: UTF8.self) == "a:b\r\n\r\n.\r\nxy")
  }

  @Test func `asks for the credentials of PLAIN and LOGIN`() {
    for (exchange, replies) in [
      ("AUTH PLAIN AGtpbQBzZWNyZXQ=\n", [235]),
      ("AUTH plain\nAGtpbQBzZWNyZXQ=\n", [334, 235]),
      ("AUTH LOGIN\na2lt\nc2VjcmV0\n", [334, 334, 235]),
      ("AUTH LOGIN a2lt\nc2VjcmV0\n", [334, 235]),
    ] {
      var policy = SMTPSessionPolicy()
      policy.hasUsers = true
      var dialogue = Dialogue(policy, peer: SMTPPeer(address: "192.0.2.7", isEncrypted: true))
      dialogue.send("EHLO client\n")
      #expect(dialogue.send("MAIL FROM:<a@b>\n") == "530 5.7.0 authentication required\n")
      let start = dialogue.output.count
      for line in exchange.split(separator: "\n") { dialogue.send("\(line)\n") }
      #expect(Dialogue.codes(Array(dialogue.output[start...])) == replies)
      #expect(
        dialogue.credentials == [
          SMTPCredentials(authorization: "", user: "kim", password: Array("secret".utf8))
        ])
      dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n")
      dialogue.send(".\n")
      #expect(dialogue.submissions.first?.submitter == .user("kim"))
      #expect(dialogue.submissions.first?.trace.transmission == "ESMTPSA")
    }
  }

  @Test func `forgets the dialogue before STARTTLS`() {
    var policy = SMTPSessionPolicy()
    policy.offersTLS = true
    var dialogue = Dialogue(policy)
    dialogue.send("EHLO client\n")
    #expect(dialogue.send("STARTTLS\n") == "220 2.0.0 ready for TLS\n")
    #expect(dialogue.handshakes == 1)
    #expect(dialogue.send("MAIL FROM:<a@b>\n") == "503 5.5.1 send EHLO first\n")
    #expect(!dialogue.send("EHLO client\n").contains("STARTTLS"))
    #expect(dialogue.send("STARTTLS\n") == "503 5.5.1 the connection is encrypted already\n")
  }
}
