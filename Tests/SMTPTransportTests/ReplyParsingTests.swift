import PabalTesting
import Testing

@testable import SMTPTransport

/// Replies in every valid form and in many invalid ones.
@Suite struct ReplyParsingTests {
  static let mail = SMTPTestMail.small

  @Test func `replies may arrive in single bytes and have many lines`() throws {
    func many(_ code: Int, _ text: String) -> SMTPServerAction {
      SMTPServerAction(reply: "\(code)-\(text)\r\n\(code)-\r\n\(code)-more\r\n\(code) \(text)", split: true)
    }
    let port = try hostile([
      "greeting": many(220, "hello"), "auth": many(235, "welcome"),
      "mail": SMTPServerAction(split: true), "rcpt": SMTPServerAction(split: true),
      "final": SMTPServerAction(split: true),
    ])
    #expect(Self.mail.outcomes(port.client()) == [.sent])
    #expect(try port.report().taken.count == 1)
    for (place, text, outcome) in [
      ("mail", "550-5.7.1 not\r\n550 5.7.1 yours", SMTPOutcome.held(.mail)),
      ("rcpt", "550-5.1.1 no\r\n550-5.1.1 such\r\n550 5.1.1 user", .rejected),
      ("final", "250-2.0.0 Ok\r\n250 2.0.0 queued as MANY", .sent),
    ] {
      for split in [true, false] {
        let port = try hostile([place: SMTPServerAction(reply: text, split: split)])
        #expect(Self.mail.outcomes(port.client()) == [outcome], "\(place): \(text)")
      }
    }
  }

  @Test func `a line may end with a bare LF and a code may stand alone`() throws {
    let port = try hostile([
      "final": .bytes(Array("250\n".utf8)), "rset": .bytes(Array("250\n".utf8)),
    ])
    #expect(Self.mail.outcomes(port.client()) == [.sent])
  }

  @Test func `the lines of a reply are joined into one`() throws {
    let port = try hostile([
      "rcpt": .reply(
        "550-5.1.1 no user of that name\r\n550-5.1.1 lives here;\r\n550 5.1.1 see https://help.example")
    ])
    #expect(
      Self.mail.recipientResults(port.client()) == [
        RecipientResult(.rejected, "550 5.1.1 no user of that name lives here; see https://help.example")
      ])
  }

  /// Invalid replies in place of the one that decides.
  static let nonsense: [[UInt8]] = [
    Array("hello there\r\n".utf8), Array("25\r\n".utf8), Array("2500 ok\r\n".utf8), Array("150 ok\r\n".utf8),
    Array("650 ok\r\n".utf8), Array("25x ok\r\n".utf8), Array("250_ok\r\n".utf8), Array(" 250 ok\r\n".utf8),
    Array("\r\n".utf8), Array("250-ok\r\n251 ok\r\n".utf8), [0, 1, 2, 3, 255, 254, 13, 10],
    Array(repeating: UInt8(ascii: "2"), count: 6_000),
    Array("250 ".utf8) + Array(repeating: UInt8(ascii: "a"), count: 6_000) + [13, 10],
    Array(String(repeating: "250-more\r\n", count: 300).utf8),
  ]

  @Test func `an invalid reply decides nothing`() async throws {
    let cases = Self.nonsense.flatMap { bytes in
      ["mail", "rcpt", "final"].flatMap { place in
        [[], ["CHUNKING"]].map { missing in (place, missing, bytes) }
      }
    }
    let results = await mapOnThreads(cases) { place, missing, bytes in
      Result {
        let port = try hostile([place: .bytes(bytes, close: true)], without: missing)
        return (Self.mail.outcomes(port.client()), try port.report())
      }
    }
    for ((place, missing, bytes), result) in zip(cases, results) {
      let (outcomes, report) = try result.get()
      let isFullySent = place == "final" || missing.isEmpty
      #expect(
        outcomes == [isFullySent ? .unknown : .deferred],
        "\(place) \(missing) \(String(decoding: bytes.prefix(40), as: UTF8.self))")
      #expect(report.taken.isEmpty)
    }
  }

  @Test func `a reply's text may contain any bytes`() throws {
    let text: [UInt8] = Array("250 2.0.0 ".utf8) + [0, 1, 0x80, 0xFF, 0xED, 0x9A] + [13, 10]
    let port = try hostile(["final": .bytes(text)])
    #expect(Self.mail.outcomes(port.client()) == [.sent])
  }

  @Test func `endless replies end`() async throws {
    let cases = ["greeting", "ehlo", "auth", "mail", "rcpt", "final"].flatMap { place in
      ["250 ok\r\n", "250-ok\r\n", "250", "a"].map { (place, $0) }
    }
    let results = await mapOnThreads(cases) { place, flood in
      Result {
        Self.mail.outcomes(try hostile([place: SMTPServerAction(flood: flood)]).client(timeout: 10_000))
      }
    }
    for ((place, flood), result) in zip(cases, results) {
      let outcomes = try result.get()
      let isConnecting = ["greeting", "ehlo", "auth"].contains(place)
      // A flood of positive replies contains the expected one.
      let isTaken = flood == "250 ok\r\n" && !isConnecting
      if isTaken {
        #expect(outcomes == [.sent], "\(place) \(flood)")
      } else if isConnecting {
        #expect(outcomes == [.deferred] || outcomes == [.held(.transport)], "\(place) \(flood)")
      } else {
        #expect(outcomes == [.unknown], "\(place) \(flood)")
      }
    }
  }

  @Test func `extra replies close the connection and never give a wrong outcome`() throws {
    // The last reply decides; what follows only closes the connection.
    var port = try hostile(["final": SMTPServerAction(extra: "250 2.0.0 and again")])
    let client = port.client()
    #expect(Self.mail.outcomes(client) == [.sent])
    #expect(Self.mail.outcomes(client) == [.sent])
    #expect(try port.report().connections == 2)
    // An extra reply to MAIL shifts the recipient's refusal to the place of the body's reply.
    port = try hostile([
      "mail": SMTPServerAction(extra: "250 2.1.0 and again"), "rcpt": .reply("550 5.1.1 no such user"),
    ])
    let outcomes = Self.mail.outcomes(port.client())
    #expect(outcomes == [.rejected] || outcomes == [.deferred])
    #expect(try port.report().taken.isEmpty)
    // Shifted by one, the recipient's reply is in the place of the body's, about which it says nothing.
    for (final, taken) in [("250 2.0.0 ok", 1), ("554 5.6.0 no", 0)] {
      port = try hostile([
        "mail": SMTPServerAction(extra: "250 2.1.0 and again"),
        "final": SMTPServerAction(reply: final, taken: taken == 1),
      ])
      #expect(Self.mail.outcomes(port.client()) == [.unknown])
    }
  }

  @Test func `an unsolicited reply closes the connection and doesn't affect the mail`() throws {
    let port = try hostile()
    let client = port.client()
    #expect(Self.mail.outcomes(client) == [.sent])
    try port.say("421 4.4.2 idle too long\r\n")
    #expect(Self.mail.outcomes(client) == [.sent])
    try port.hangUp()
    #expect(Self.mail.outcomes(client) == [.sent])
    let report = try port.report()
    #expect(report.taken.count == 3)
    #expect(report.connections == 3)
  }
}
