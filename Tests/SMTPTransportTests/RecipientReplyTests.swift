import Testing

@testable import SMTPTransport

/// Replies for each recipient, and servers that mishandle groups of commands.
@Suite struct RecipientReplyTests {
  static let three = SMTPTestMail.small.to("a@example.net", "b@example.net", "c@example.net")
  static let missingExtensions: [[String]] = [[], ["CHUNKING"], ["PIPELINING"], ["CHUNKING", "PIPELINING"]]

  @Test(arguments: missingExtensions) func `each recipient has its own outcome and reply`(_ missing: [String])
    throws
  {
    let port = try hostile(
      ["rcpt0": .reply("550 5.1.1 no such user"), "rcpt2": .reply("450 4.2.1 rate")], without: missing)
    let client = port.client()
    let recipientResults = Self.three.recipientResults(client)
    #expect(recipientResults?.map(\.outcome) == [.rejected, .sent, .deferred])
    #expect(recipientResults?.first?.message == "550 5.1.1 no such user")
    #expect(recipientResults?.last?.message == "450 4.2.1 rate")
    #expect(try port.report().taken.map(\.recipients) == [["b@example.net"]])
  }

  @Test(arguments: missingExtensions)
  func `when all recipients are refused, the first refusal decides, not those that follow from it`(
    _ missing: [String]
  ) throws {
    let port = try hostile(["rcpt": .reply("550 5.1.1 no such user")], without: missing)
    #expect(
      Self.three.recipientResults(port.client())
        == Array(repeating: RecipientResult(.rejected, "550 5.1.1 no such user"), count: 3))
    let other = try hostile(["mail": .reply("550 5.7.1 not your address")], without: missing)
    #expect(
      Self.three.recipientResults(other.client())
        == Array(repeating: RecipientResult(.held(.mail), "550 5.7.1 not your address"), count: 3))
    #expect(try port.report().whole.isEmpty)
    #expect(try other.report().whole.isEmpty)
  }

  @Test(arguments: missingExtensions)
  func `a refused body counts for the recipients that were accepted`(
    _ missing: [String]
  ) throws {
    let port = try hostile(
      ["rcpt1": .reply("550 5.1.1 no such user"), "final": .reply("452 4.3.1 disk full")], without: missing)
    #expect(Self.three.outcomes(port.client()) == [.deferred, .rejected, .deferred])
  }

  @Test(arguments: missingExtensions) func `a connection that ends leaves refused recipients refused`(
    _ missing: [String]
  ) throws {
    let port = try hostile(["rcpt1": .reply("550 5.1.1 no such user"), "final": .close], without: missing)
    #expect(Self.three.outcomes(port.client()) == [.unknown, .rejected, .unknown])
  }

  @Test(arguments: missingExtensions) func `recipients beyond the limit take a second transaction`(
    _ missing: [String]
  ) throws {
    for reply in ["452 4.5.3 too many recipients", "452 too many", "552 5.5.3 too many"] {
      let port = try hostile(["rcpt2": .reply(reply)], without: missing)
      #expect(Self.three.outcomes(port.client()) == [.sent, .sent, .sent])
      let report = try port.report()
      #expect(report.taken.map(\.recipients) == [["a@example.net", "b@example.net"], ["c@example.net"]])
      #expect(report.connections == 1)
    }
  }

  @Test func `a full disk isn't a recipient limit`() throws {
    let port = try hostile(["rcpt2": .reply("452 4.3.1 disk full")])
    #expect(Self.three.outcomes(port.client()) == [.sent, .sent, .deferred])
    #expect(try port.report().taken.count == 1)
  }

  @Test(arguments: ["500 5.5.1 what", "502 5.5.1 not here"])
  func `a server that offers CHUNKING but rejects BDAT gets DATA from then on`(_ reply: String) throws {
    let port = try hostile(["bdat": .reply(reply)])
    let client = port.client()
    for _ in 0..<3 { #expect(SMTPTestMail.small.outcomes(client) == [.sent]) }
    let report = try port.report()
    #expect(report.commands.filter { $0.hasPrefix("BDAT") }.count == 1)
    #expect(report.taken.count == 3)
    #expect(report.connections == 2)
  }

  @Test(arguments: ["503 5.5.1 RCPT first", "554 5.5.0 Improper use of SMTP command pipelining"])
  func `a server that answers a group out of sequence gets two groups from then on`(_ reply: String) throws {
    var script = SMTPServerScript()
    var refusal = SMTPServerAction.reply(reply)
    refusal.consume = true
    script.connections = [["bdat": refusal], [:]]
    let port = try hostile(script)
    let client = port.client()
    for _ in 0..<3 { #expect(SMTPTestMail.small.outcomes(client) == [.sent]) }
    let report = try port.report()
    #expect(report.taken.count == 3)
    #expect(report.connections == 2)
    #expect(report.taken.map(\.flights).last == 2 * 3 + report.taken[0].flights - 2)
  }

  @Test func `a server that can't handle groups gets one command at a time from then on`() throws {
    var script = SMTPServerScript([:], without: ["CHUNKING"])
    script.connections = [["rcpt": SMTPServerAction(extra: "250 2.1.5 twice")], [:]]
    let port = try hostile(script)
    let client = port.client()
    for _ in 0..<3 {
      let recipientResults = SMTPTestMail.small.recipientResults(client)
      #expect(recipientResults?.map(\.outcome) == [.sent], "\(recipientResults?.first?.message ?? "")")
    }
    let report = try port.report()
    #expect(report.connections == 2)
    let flights = report.taken.map(\.flights)
    #expect(zip(flights, flights.dropFirst()).map { $1 - $0 } == [4, 4])
  }

  @Test func `a kept connection that answers 421 is replaced`() throws {
    var script = SMTPServerScript()
    script.connections = [["mail": SMTPServerAction.reply("421 4.7.0 too many mails", close: true).from(2)]]
    let port = try hostile(script)
    let client = port.client()
    for _ in 0..<5 { #expect(SMTPTestMail.small.outcomes(client) == [.sent]) }
    let report = try port.report()
    #expect(report.taken.count == 5)
    #expect(report.connections == 3)
  }

  @Test func `a refused recipient leaves the connection usable if the body wasn't sent`() throws {
    let port = try hostile(["rcpt0": .reply("550 5.1.1 no such user")], without: ["CHUNKING"])
    let client = port.client()
    #expect(SMTPTestMail.small.outcomes(client) == [.rejected])
    #expect(Self.three.outcomes(client) == [.rejected, .sent, .sent])
    let report = try port.report()
    #expect(report.connections == 1)
    #expect(report.commands.filter { $0 == "RSET" }.count == 1)
  }

  @Test func `a refused BDAT closes the connection`() throws {
    let port = try hostile(["rcpt0": .reply("550 5.1.1 no such user")])
    let client = port.client()
    #expect(SMTPTestMail.small.outcomes(client) == [.rejected])
    #expect(SMTPTestMail.small.to("x@example.net", "y@example.net").outcomes(client) == [.rejected, .sent])
    #expect(try port.report().connections == 2)
  }
}
