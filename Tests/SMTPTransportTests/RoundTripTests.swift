import PabalPlugin
import Testing

@testable import SMTPTransport

/// Round trips as counted by the server: how often it received something after a reply.
@Suite struct RoundTripTests {
  @Test(
    arguments: [([], 1), (["CHUNKING"], 2), (["PIPELINING"], 3), (["CHUNKING", "PIPELINING"], 4)]
      as [([String], Int)])
  func `a mail on a kept connection takes as many round trips as the server's extensions require`(
    _ missing: [String], _ trips: Int
  ) throws {
    let port = try hostile([:], without: missing)
    let client = port.client()
    for _ in 0..<5 { #expect(SMTPTestMail.small.outcomes(client) == [.sent]) }
    let flights = try port.report().taken.map(\.flights)
    for (earlier, later) in zip(flights, flights.dropFirst()) { #expect(later - earlier == trips) }
  }

  @Test func `a thousand mails take one connection and one login`() throws {
    let port = try hostile()
    let client = port.client()
    for _ in 0..<1_000 { #expect(SMTPTestMail.small.outcomes(client) == [.sent]) }
    client.close()
    let report = try port.report()
    #expect(report.taken.count == 1_000)
    #expect((report.connections, report.handshakes, report.logins, report.quits) == (1, 1, 1, 1))
    #expect((report.taken.last?.flights ?? 0) - (report.taken.first?.flights ?? 0) == 999)
  }

  @Test func `after five idle seconds the envelope is sent separately`() throws {
    let clock = TestClock()
    let port = try hostile()
    let client = port.client(now: clock.now)
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    clock.pass(4_999)
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    clock.pass(5_000)
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    let flights = try port.report().taken.map(\.flights)
    #expect(zip(flights, flights.dropFirst()).map { $1 - $0 } == [1, 2, 1])
    #expect(try port.report().connections == 1)
  }

  @Test func `a connection idle for two minutes is closed`() throws {
    let clock = TestClock()
    let port = try hostile()
    let client = port.client(now: clock.now)
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    clock.pass(115_000)
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    let report = try port.report()
    #expect(report.connections == 2)
    #expect(report.quits == 1)
  }

  @Test func `a session is renewed before its token expires`() throws {
    let clock = TestClock()
    let port = try hostile()
    let client = port.client(now: clock.now)
    let short = Token(text: "ya29.short-lived-token-0123456789", expiresIn: 100)
    #expect(SMTPTestMail.small.outcomes(client) { _ in short } == [.sent])
    clock.pass(45_000)
    #expect(SMTPTestMail.small.outcomes(client) { _ in short } == [.sent])
    #expect(try port.report().connections == 1)
    clock.pass(6_000)
    #expect(SMTPTestMail.small.outcomes(client) { _ in short } == [.sent])
    #expect(try port.report().connections == 2)
    #expect(try port.report().logins == 2)
  }

  @Test func `a session whose token has no known expiry lasts fifty minutes`() throws {
    let clock = TestClock()
    let port = try hostile()
    let client = port.client(now: clock.now)
    for _ in 0..<31 {
      #expect(SMTPTestMail.small.outcomes(client) == [.sent])
      clock.pass(100_000)
    }
    #expect(try port.report().connections == 2)
  }

  @Test func `a mail that needs a missing extension isn't sent`() throws {
    for (offer, mail) in [
      ("8BITMIME", SMTPTestMail.small.with { $0.needs8BitMIME = true }),
      ("SMTPUTF8", SMTPTestMail.small.with { $0.needsSMTPUTF8 = true }),
      ("SMTPUTF8", SMTPTestMail.small.with { $0.recipients = ["사람@example.net"] }),
      ("SMTPUTF8", SMTPTestMail.small.with { $0.sender = "보낸이@example.net" }),
    ] {
      let without = try hostile([:], without: [offer])
      #expect(mail.outcomes(without.client()) == [.unsuited])
      #expect(try without.report().commands.allSatisfy { !$0.hasPrefix("MAIL") })
      let with = try hostile()
      #expect(mail.outcomes(with.client()) == [.sent])
      #expect(try with.report().taken.first?.params.contains(offer) == true)
    }
    var script = SMTPServerScript()
    script.offers[0] = "SIZE 50"
    let port = try hostile(script)
    let client = port.client()
    #expect(SMTPTestMail.small.outcomes(client) == [.unsuited])
    #expect(SMTPTestMail("a: b\r\n\r\n").outcomes(client) == [.sent])
    #expect(try port.report().taken.map(\.params) == ["SIZE=8"])
    #expect(try port.report().connections == 1)
    script.offers[0] = "SIZE 0"
    #expect(SMTPTestMail.small.outcomes(try hostile(script).client()) == [.sent])
  }

  @Test func `bytes arrive unchanged, including dots and missing line ends`() throws {
    let texts = [
      "", ".", "..", ".\r\n", "a: b\r\n\r\n", "a: b\r\n\r\n.\r\n", "a: b\r\n\r\n.\r\n.\r\n..\r\nend\r\n",
      "a: b\r\n\r\n" + String(repeating: "x", count: 70_000) + "\r\n.y\r\n",
      "a: b\r\n\r\n" + String(repeating: ".\r\n", count: 20_000),
    ]
    for missing in RecipientReplyTests.missingExtensions {
      let port = try hostile([:], without: missing)
      let client = port.client()
      for text in texts {
        let mail = SMTPTestMail(text)
        #expect(mail.outcomes(client) == [.sent])
        // DATA adds a missing line end.
        let isBDAT = !missing.contains("CHUNKING")
        let ended = isBDAT || text.isEmpty || text.hasSuffix("\r\n") ? text : text + "\r\n"
        #expect(
          try port.report().taken.last?.sha256 == SMTPTestMail.sha256(Array(ended.utf8)), "\(text.prefix(20))"
        )
      }
    }
  }
}
