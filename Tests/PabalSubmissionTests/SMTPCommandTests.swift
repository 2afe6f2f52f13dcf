import PabalCore
import Testing

@testable import PabalSubmission

/// A dialogue after EHLO, then some lines, and how the reply to the last one begins.
struct CommandCase: Sendable, CustomTestStringConvertible {
  let lines: [String]
  let reply: String
  var testDescription: String { lines.joined(separator: " | ").prefix(100) + " → " + reply }

  init(_ lines: String..., reply: String) {
    self.lines = lines
    self.reply = reply
  }
}

@Suite struct `Replies of an SMTP session` {
  private static let cases = [
    // Order.
    CommandCase("DATA", reply: "503 5.5.1"),
    CommandCase("RCPT TO:<a@b>", reply: "503 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "DATA", reply: "503 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "MAIL FROM:<a@b>", reply: "503 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<a@>", "DATA", reply: "554 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "RSET", "RCPT TO:<a@b>", reply: "503 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "EHLO again", "RCPT TO:<a@b>", reply: "503 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA now", reply: "501 5.5.4"),
    CommandCase("AUTH PLAIN", reply: "502 5.5.1"),
    CommandCase("STARTTLS", reply: "502 5.5.1"),
    // Other commands.
    CommandCase("NOOP anything", reply: "250 2.0.0"),
    CommandCase("noop", reply: "250 2.0.0"),
    CommandCase("NOOP  ", reply: "250 2.0.0"),
    CommandCase("VRFY kim", reply: "252 2.0.0"),
    CommandCase("VRFY", reply: "501 5.5.4"),
    CommandCase("HELP", reply: "214-2.0.0"),
    CommandCase("RSET all", reply: "501 5.5.4"),
    CommandCase("EXPN list", reply: "502 5.5.1"),
    CommandCase("TURN", reply: "502 5.5.1"),
    CommandCase("FOO", reply: "500 5.5.1"),
    CommandCase("MAILFROM:<a@b>", reply: "500 5.5.1"),
    CommandCase("", reply: "500 5.5.2"),
    CommandCase("EHLO", reply: "501 5.5.4"),
    CommandCase("HELO", reply: "501 5.5.4"),
    CommandCase("QUIT", reply: "221 2.0.0"),
    // Paths.
    CommandCase("MAIL FROM:<>", reply: "250 2.1.0"),
    CommandCase("MAIL FROM: <a@b>", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:a@b", reply: "250 2.1.0"),
    CommandCase("mail from:<a@b> size=5 body=8bitmime", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<a@b>  SIZE=5 AUTH=<>", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<root>", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<\"a b>c\"@d>", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<@one,@two:a@b>", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<@one,@two>", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@[192.0.2.1]>", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<a@[IPv6:::1]>", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:", reply: "501 5.5.4"),
    CommandCase("MAIL a@b", reply: "501 5.5.4"),
    CommandCase("MAIL", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>SIZE=5", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> <c@d>", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<<a@b>>", reply: "501 5"),
    CommandCase("MAIL FROM:<a b@c>", reply: "501 5.1.7"),
    CommandCase("MAIL FROM:<a@b..c>", reply: "501 5.1.7"),
    CommandCase("MAIL FROM:<a@-b>", reply: "501 5.1.7"),
    CommandCase("MAIL FROM:<\(String(repeating: "x", count: 65))@b>", reply: "501 5.1.7"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<>", reply: "501 5.1.3"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<a@>", reply: "501 5.1.3"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<postmaster>", reply: "250 2.1.5"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> X=Y", reply: "555 5.5.4"),
    // Reports.
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> NOTIFY=NEVER", reply: "250 2.1.5"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> notify=Success,FAILURE,delay", reply: "250 2.1.5"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> NOTIFY=NEVER,SUCCESS", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> NOTIFY=SUCCESS,", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> NOTIFY=often", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> NOTIFY", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> NOTIFY=NEVER NOTIFY=NEVER", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=rfc822;x+2By@z", reply: "250 2.1.5"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=rfc822;", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=x@y", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=;x@y", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=rfc822;x+2by@z", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=rfc822;x+2", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=rfc822;x+0D+0AY:z", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=rfc822;+EA+B9+80@y", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=rfc822;+FF@y", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=utf-8;\\x{AE40}@y", reply: "250 2.1.5"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=utf-8;\\x{D800}@y", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=utf-8;\\x{0A}@y", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=utf-8;김@y", reply: "553 5.6.7"),
    CommandCase("MAIL FROM:<a@b> SMTPUTF8", "RCPT TO:<c@d> ORCPT=utf-8;김@y", reply: "250 2.1.5"),
    CommandCase(
      "MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=rfc822;" + String(repeating: "x", count: 480),
      reply: "250 2.1.5"),
    CommandCase(
      "MAIL FROM:<a@b>", "RCPT TO:<c@d> ORCPT=rfc822;" + String(repeating: "x", count: 494),
      reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> RET=hdrs ENVID=QQ314159", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<a@b> RET=FULL ENVID=a+20b+3D", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<a@b> RET=BODY", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> RET", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> ENVID", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> ENVID=+0A", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> ENVID=+4", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> ENVID=" + String(repeating: "x", count: 100), reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<a@b> ENVID=" + String(repeating: "x", count: 101), reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> SMTPUTF8 ENVID=김", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> NOTIFY=NEVER", reply: "555 5.5.4"),
    // Parameters.
    CommandCase("MAIL FROM:<a@b> SIZE=36700160", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<a@b> SIZE=36700161", reply: "552 5.3.4"),
    CommandCase("MAIL FROM:<a@b> SIZE=99999999999999999999", reply: "552 5.3.4"),
    CommandCase("MAIL FROM:<a@b> SIZE=999999999999999999999", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> SIZE=-1", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> SIZE=+1", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> SIZE", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> SIZE=1 SIZE=2", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> BODY=BINARYMIME", reply: "555 5.5.4"),
    CommandCase("MAIL FROM:<a@b> SMTPUTF8=1", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> =", reply: "501 5.5.4"),
    CommandCase("MAIL FROM:<a@b> X=", reply: "501 5.5.4"),
    // Non-ASCII.
    CommandCase("MAIL FROM:<김@b> SMTPUTF8", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<a@우편.example> SMTPUTF8", reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<김@b>", reply: "553 5.6.7"),
    CommandCase("MAIL FROM:<a@우편.example>", reply: "553 5.6.7"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<김@b>", reply: "553 5.6.7"),
    CommandCase("MAIL FROM:<a@b> SMTPUTF8", "RCPT TO:<김@b>", reply: "250 2.1.5"),
    CommandCase("MAIL FROM:<a@b> SIZE=１", reply: "501 5.5.4"),
    CommandCase("NOOP 김", reply: "500 5.5.2"),
    CommandCase("EHLO 김", reply: "500 5.5.2"),
    // Control characters.
    CommandCase("NOOP a\tb", reply: "500 5.5.2"),
    CommandCase("NOOP \0", reply: "500 5.5.2"),
    CommandCase("NOOP a\u{7F}", reply: "500 5.5.2"),
    CommandCase("NOOP a\rb", reply: "500 5.5.2"),
    // Lengths.
    CommandCase("NOOP " + String(repeating: "x", count: 505), reply: "250 2.0.0"),
    CommandCase("NOOP " + String(repeating: "x", count: 506), reply: "500 5.5.6"),
    CommandCase("MAIL FROM:<a@b> AUTH=" + String(repeating: "x", count: 1_100), reply: "250 2.1.0"),
    CommandCase("MAIL FROM:<a@b> AUTH=" + String(repeating: "x", count: 1_200), reply: "500 5.5.6"),
    CommandCase(String(repeating: "x", count: 100_000), reply: "500 5.5.6"),
    // Chunks.
    CommandCase("BDAT 0 LAST", reply: "503 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "BDAT 0 LAST", reply: "503 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<a@>", "BDAT 0 LAST", reply: "554 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 0", reply: "250 2.0.0"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 0", "DATA", reply: "503 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 0", "RCPT TO:<e@f>", reply: "503 5.5.1"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 0 last", reply: "250 2.0.0 queued as ID1"),
    CommandCase("MAIL FROM:<a@b>", "RCPT TO:<c@d>", "BDAT 0 LAST", "BDAT 0 LAST", reply: "503 5.5.1"),
  ]

  @Test(arguments: cases) func `depend on the command and what came before`(_ test: CommandCase) {
    var dialogue = Dialogue()
    dialogue.send("EHLO client\n")
    var reply = ""
    for line in test.lines { reply = dialogue.send(line + "\n") }
    #expect(reply.hasPrefix(test.reply), "\(reply)")
    #expect(reply.split(separator: "\n").count == (test.reply == "214-2.0.0" ? 2 : 1), "\(reply)")
  }

  @Test(arguments: [
    "BDAT", "BDAT x", "BDAT -1", "BDAT +1", "BDAT 0x1", "BDAT 1 2", "BDAT 1 LAST x", "BDAT 1,5",
  ])
  func `end the session after a chunk whose end isn't known`(_ line: String) {
    var dialogue = Dialogue()
    dialogue.send("EHLO client\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\n".replacing("EHLO client\n", with: ""))
    #expect(dialogue.send(line + "\nNOOP\n").hasPrefix("501 5.5.4"))
    #expect(dialogue.isClosed)
    #expect(dialogue.codes.last == 501)
  }

  @Test func `end the session after a chunk larger than any`() {
    var dialogue = Dialogue()
    #expect(dialogue.send("BDAT 9223372036854775808\nNOOP\n").hasPrefix("552 5.3.4"))
    #expect(dialogue.isClosed)
  }

  @Test(arguments: [
    "GET / HTTP/1.1", "POST / HTTP/1.1", "CONNECT a:25 HTTP/1.1", "Host: example", "\u{16}\u{3}\u{1}",
    "\u{80}",
  ])
  func `end the session of a client that doesn't speak SMTP`(_ line: String) {
    var dialogue = Dialogue()
    #expect(dialogue.send(line + "\nEHLO client\n").hasPrefix("500 5.5"))
    #expect(dialogue.isClosed)
    #expect(dialogue.codes == [220, 500])
  }

  @Test func `end the session of a TLS client before its line ends`() {
    var dialogue = Dialogue()
    dialogue.feed([0x16])
    #expect(dialogue.isClosed)
    #expect(dialogue.codes == [220, 500])
  }

  @Test func `end the session after too many rejected commands`() {
    var policy = SMTPSessionPolicy()
    policy.maxErrors = 3
    var dialogue = Dialogue(policy)
    dialogue.send("EHLO client\n")
    #expect(dialogue.send("FOO\nNOOP\nFOO\n").split(separator: "\n").count == 3)
    #expect(
      dialogue.send("FOO\nNOOP\n") == "500 5.5.1 unknown command\n421 4.7.0 too many rejected commands\n")
    #expect(dialogue.isClosed)
    // A queued mail shows that the client knows what it is doing.
    dialogue = Dialogue(policy)
    dialogue.send("HELO client\n")
    for _ in 0..<5 {
      dialogue.send("FOO\nFOO\nMAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n")
      #expect(dialogue.send(".\n").hasPrefix("250"))
    }
    #expect(dialogue.submissions.count == 5)
  }

  @Test func `end the session after too many commands without a mail`() {
    var policy = SMTPSessionPolicy()
    policy.maxErrors = 2
    policy.maxIdleCommands = 10
    var dialogue = Dialogue(policy)
    for _ in 0..<11 { #expect(dialogue.send("NOOP\n") == "250 2.0.0 OK\n") }
    #expect(dialogue.send("NOOP\n").hasSuffix("421 4.7.0 too many rejected commands\n"))
  }

  @Test func `refuse more recipients than the limit without counting them as errors`() {
    var policy = SMTPSessionPolicy()
    policy.maxRecipients = 3
    var dialogue = Dialogue(policy)
    dialogue.send("EHLO client\n")
    dialogue.send("MAIL FROM:<a@b>\n")
    for index in 0..<3 { #expect(dialogue.send("RCPT TO:<r\(index)@d>\n").hasPrefix("250")) }
    for index in 3..<1_000 { #expect(dialogue.send("RCPT TO:<r\(index)@d>\n").hasPrefix("452 4.5.3")) }
    dialogue.send("DATA\n")
    dialogue.send(".\n")
    #expect(dialogue.submissions.first?.recipients.map(\.description) == ["r0@d", "r1@d", "r2@d"])
  }

  @Test func `complete names with the host's name and drop source routes`() {
    var policy = SMTPSessionPolicy()
    policy.hostName = "mail.example"
    var dialogue = Dialogue(policy)
    dialogue.send("EHLO client\n")
    dialogue.send(
      "MAIL FROM:<cron>\nRCPT TO:<Postmaster>\nRCPT TO:<@a,@b:c@d>\nRCPT TO:\"x@y\"\nRCPT TO:e@f \nDATA\n")
    dialogue.send(".\n")
    #expect(dialogue.submissions.first?.sender?.description == "cron@mail.example")
    #expect(
      dialogue.submissions.first?.recipients.map(\.description) == [
        "Postmaster@mail.example", "c@d", "\"x@y\"@mail.example", "e@f",
      ])
  }

  @Test func `ask for a greeting before a mail`() {
    for line in ["MAIL FROM:<a@b>", "RCPT TO:<a@b>", "DATA"] {
      var dialogue = Dialogue()
      #expect(dialogue.send(line + "\n") == "503 5.5.1 send EHLO first\n")
    }
  }

  @Test func `refuse mail while the driver has a reason`() {
    var dialogue = Dialogue()
    dialogue.send("EHLO client\n")
    dialogue.session.mailRefusal = SMTPReply(452, "4.3.1", "the disk is almost full")
    #expect(dialogue.send("MAIL FROM:<a@b>\n") == "452 4.3.1 the disk is almost full\n")
    dialogue.session.mailRefusal = nil
    #expect(dialogue.send("MAIL FROM:<a@b>\n").hasPrefix("250"))
  }

  @Test func `pass on why a mail isn't queued`() {
    var dialogue = Dialogue()
    dialogue.refusal = SMTPReply(452, "4.3.1", "the disk is full")
    dialogue.send("EHLO client\n")
    dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n")
    #expect(dialogue.send(".\n") == "452 4.3.1 the disk is full\n")
    #expect(!dialogue.isClosed)
    dialogue.refusal = SMTPReply(421, "4.3.2", "the service is stopping")
    dialogue.send("MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\n")
    #expect(dialogue.send(".\n") == "421 4.3.2 the service is stopping\n")
    #expect(dialogue.isClosed)
  }

  @Test func `are printable and short, whatever they quote`() {
    var output: [UInt8] = []
    SMTPReply(550, "5.0.0", "a\r\n250 김\u{0}" + String(repeating: "x", count: 600)).append(to: &output)
    #expect(output.count == 512)
    #expect(output.starts(with: "550 5.0.0 a??250 ??xxx".utf8))
    #expect(output.dropLast(2).allSatisfy { (0x20...0x7E).contains($0) })
  }
}
