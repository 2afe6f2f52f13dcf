import Testing

@testable import SMTPTransport

/// Lines of a mail that a server could run as commands.
@Suite struct CommandLineScanTests {
  static let commands = [
    "RSET", "MAIL FROM:<a@example.test>", "mail from:<a@example.test>", "rCpT tO:<victim@example.test>",
    "DATA", "data",
    "BDAT 5 LAST", "AUTH PLAIN x", "STARTTLS", "StartTLS", "EHLO x", "HELO x", "  RCPT TO:<a@example.test>",
    "\tdata", "MAIL\tFROM:<a>", "SEND FROM:<a>", "saml  from:<a>", "SOML FROM:<a>", "QUIT", "NOOP ",
    "XCLIENT ADDR=1",
    "xforward NAME=x", "BURL imap://x LAST", "ETRN x", "DATA ", "RCPT:", "TURN",
  ]
  static let others = [
    "Dear reader", "Mailing-List: a", "Mail-Followup-To: a@example.test", "Authentication-Results: x",
    "database",
    "Authentication code: 482913", "reset", "Received: from x", "Date: Mon", "Help yourself",
    "Send us a mail",
    "Quit smoking", "turn around", "start", "startle", "x mail from", ".MAIL FROM:<a>", "> RCPT TO:<a>",
    "DAT", "MAI",
    "sendfrom", "=4DAIL", "파발 MAIL",
  ]

  private func finds(_ text: String) -> Bool {
    Array(text.utf8).withUnsafeBytes { CommandLineScan.findsCommand(in: $0) }
  }

  @Test(arguments: commands) func `a line that a server could run is found wherever it stands`(_ line: String)
  {
    for text in [
      line, "\(line)\r\n", "Subject: x\r\n\r\n\(line)\r\n", "Subject: x\r\n\r\nhello\r\n\(line)",
      "a: b\r\n\r\nhello\n\(line)\nmore\n",
      String(repeating: "x", count: 5_000) + "\r\n\(line)\r\n",
    ] { #expect(finds(text), "\(text.debugDescription)") }
  }

  @Test(arguments: others) func `other lines aren't`(_ line: String) {
    for text in [
      line, "\(line)\r\n", "Subject: x\r\n\r\nhello\r\n\(line)\r\nmore\r\n", "a\r\n\r\n\r\n\(line)",
    ] {
      #expect(!finds(text), "\(text.debugDescription)")
    }
    #expect(!finds(""))
  }

  /// A mail whose body sends another mail, if a server runs it.
  static func smuggling(_ prefix: String = "") -> SMTPTestMail {
    SMTPTestMail(
      "Subject: hello\r\n\r\n\(prefix)MAIL FROM:<alice@example.test>\r\nRCPT TO:<victim@example.test>\r\nDATA\r\n"
        + "Subject: smuggled\r\n\r\nhello\r\n.\r\n")
  }

  @Test(arguments: ["503 5.5.1 no valid recipients", "554 5.5.1 no", "502 5.5.1 no BDAT", "451 4.3.0 no"])
  func `a server that runs a refused chunk as commands takes no second mail`(_ reply: String) throws {
    for prefix in ["", "RSET\r\n", "hello\r\n"] {
      for missing in [[], ["PIPELINING"]] {
        let refused = try hostile(
          ["rcpt0": .reply("550 5.1.1 no such user").from(0), "bdat": .reply(reply)], without: missing)
        #expect(Self.smuggling(prefix).outcomes(refused.client()) == [.rejected])
        let report = try refused.report()
        #expect(report.taken.isEmpty)
        #expect(report.commands.allSatisfy { !$0.contains("victim") }, "\(report.commands)")
        // Nor where the recipient is accepted and the server only doesn't know BDAT.
        let accepted = try hostile(["bdat": .reply(reply)], without: missing)
        #expect(Self.smuggling(prefix).outcomes(accepted.client()) == [.sent])
        #expect(try accepted.report().taken.map(\.recipients) == [["bob@example.net"]])
      }
    }
  }

  @Test func `such a mail takes two flights, and others keep their one`() throws {
    let port = try hostile()
    let client = port.client()
    for mail in [SMTPTestMail.small, .small, Self.smuggling(), .small] {
      #expect(mail.outcomes(client) == [.sent])
    }
    let report = try port.report()
    #expect(report.connections == 1)
    let flights = report.taken.map(\.flights)
    #expect(zip(flights, flights.dropFirst()).map { $1 - $0 } == [1, 2, 1])
    #expect(report.taken[2].sha256 == SMTPTestMail.sha256(Self.smuggling().bytes))
  }
}
