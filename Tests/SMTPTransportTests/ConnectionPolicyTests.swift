import PabalTesting
import Testing

@testable import SMTPTransport

/// Refusals that end a connection's use: limits of a connection, throttles, and a login that was forgotten.
@Suite struct ConnectionPolicyTests {
  static let limits: [(place: String, reply: String)] = [
    ("mail", "451 4.4.5 Maximum number of messages per session exceeded"),
    ("mail", "452 4.5.3 Too many messages in this session"), ("mail", "452 too many"),
    ("mail", "450 4.3.2 no more"), ("mail", "421 4.7.0 enough"),
    ("mail", "530 5.7.0 Authentication required"),
    ("rcpt", "452 4.5.3 too many recipients in this session"), ("rcpt", "452 4.4.5 too many"),
    ("rcpt", "421 4.4.5 enough"),
    ("data", "452 4.4.5 Maximum number of messages per session exceeded"), ("data", "421 4.4.5 enough"),
    ("bdat", "452 4.4.5 Maximum number of messages per session exceeded"), ("bdat", "421 4.4.5 enough"),
    ("final", "451 4.3.0 enough for this session"), ("final", "421 4.4.5 enough"),
  ]

  @Test(arguments: limits, [[], ["CHUNKING"], ["CHUNKING", "PIPELINING"], ["PIPELINING"]])
  func `a server with a limit of mails for each connection gets a new connection at the limit`(
    _ limit: (place: String, reply: String), _ missing: [String]
  ) throws {
    let usesData = missing.contains("CHUNKING")
    guard limit.place != (usesData ? "bdat" : "data") else { return }
    var act = SMTPServerAction.reply(limit.reply).from(3)
    act.consume = true
    let port = try hostile([limit.place: act], without: missing)
    let client = port.client()
    for number in 1...10 {
      let results = SMTPTestMail.small.recipientResults(client)
      #expect(results?.map(\.outcome) == [.sent], "\(limit) \(number): \(results?.first?.message ?? "")")
    }
    let report = try port.report()
    #expect(report.taken.count == 10)
    #expect(report.connections == 4, "\(limit)")
    #expect(report.strange.isEmpty, "\(report.strange)")
  }

  static let throttles = [
    "451 4.7.0 slow down", "450 4.2.1 rate limit exceeded", "432 4.3.2 Concurrent connections limit exceeded",
    "454 4.7.0 too many", "451 4.7.500 Server busy", "452 4.7.1 too much mail", "452 4.3.1 disk full",
    "451 4.6.0 later", "450 4.2.0 later",
  ]

  @Test(arguments: throttles, ["mail", "data", "bdat"])
  func
    `a mail that is throttled or refused for its own sake waits, and the next attempt uses a new connection`(
      _ reply: String, _ place: String
    ) throws
  {
    let missing = place == "data" ? ["CHUNKING"] : []
    let port = try hostile([place: .reply(reply).from(2)], without: missing)
    let client = port.client()
    for _ in 0..<2 { #expect(SMTPTestMail.small.outcomes(client) == [.sent]) }
    #expect(SMTPTestMail.small.outcomes(client) == [.deferred])
    #expect(try port.report().connections == 1)
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    #expect(try port.report().connections == 2)
  }

  @Test(arguments: ["451 4.3.0 later", "530 5.7.0 login please", "550 5.4.5 Daily limit exceeded"])
  func
    `an attempt that failed over a new connection isn't retried, and the next one doesn't use the connection`(
      _ reply: String
    ) throws
  {
    for missing in [[], ["CHUNKING"], ["PIPELINING"]] {
      let port = try hostile(["mail": .reply(reply)], without: missing)
      let client = port.client()
      for count in 1...2 {
        #expect(SMTPTestMail.small.outcomes(client) != [.sent])
        #expect(try port.report().connections == count)
      }
      #expect(try port.report().whole.isEmpty)
    }
  }

  @Test func `only the recipients without a final outcome are tried over the new connection`() throws {
    var script = SMTPServerScript([:], without: ["CHUNKING"])
    script.connections = [
      ["rcpt1": .reply("550 5.1.1 no such user"), "data": .reply("452 4.4.5 enough").from(1)], [:],
    ]
    let port = try hostile(script)
    let client = port.client()
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    #expect(SMTPTestMail.small.to("a@example.net", "b@example.net").outcomes(client) == [.sent, .rejected])
    let report = try port.report()
    #expect(report.connections == 2)
    #expect(report.taken.count == 2)
    #expect(report.commands.filter { $0.hasPrefix("RCPT TO:<b@example.net>") }.count == 1)
  }

  @Test func `refusals about an address keep the connection`() throws {
    for reply in ["450 4.1.1 later", "450 4.7.1 greylisted", "450 mailbox busy", "550 5.1.1 no such user"] {
      let port = try hostile(["rcpt": .reply(reply)], without: ["CHUNKING"])
      let client = port.client()
      for _ in 0..<3 { #expect(SMTPTestMail.small.outcomes(client) != [.sent]) }
      #expect(try port.report().connections == 1, "\(reply)")
    }
  }

  @Test func `a connection whose limit is reached ends with QUIT`() throws {
    let port = try hostile(["mail": .reply("452 4.5.3 enough").from(1)], without: ["CHUNKING"])
    let client = port.client()
    for _ in 0..<2 { #expect(SMTPTestMail.small.outcomes(client) == [.sent]) }
    try eventually { try port.report().quits == 1 }
  }

  @Test(arguments: ["501 5.5.4 what", "503 5.5.1 BDAT?", "504 5.5.4 no", "555 5.5.4 no", "503 bad sequence"])
  func `a server that offers CHUNKING and rejects the command BDAT gets DATA from then on`(_ reply: String)
    throws
  {
    for missing in [[], ["PIPELINING"]] {
      let port = try hostile(["bdat": .reply(reply)], without: missing)
      let client = port.client()
      for _ in 0..<3 { #expect(SMTPTestMail.small.outcomes(client) == [.sent], "\(reply)") }
      let report = try port.report()
      #expect(report.commands.filter { $0.hasPrefix("BDAT") }.count == 1)
      #expect(report.taken.count == 3)
    }
  }

  @Test func `a refused content isn't taken for a rejected BDAT`() throws {
    for (reply, outcome) in [("501 5.6.0 bad header", SMTPOutcome.rejected), ("555 5.7.1 spam", .rejected)] {
      let port = try hostile(["final": .reply(reply)])
      let client = port.client()
      for _ in 0..<2 { #expect(SMTPTestMail.small.outcomes(client) == [outcome]) }
      #expect(try port.report().commands.filter { $0.hasPrefix("BDAT") }.count == 2)
    }
  }
}
