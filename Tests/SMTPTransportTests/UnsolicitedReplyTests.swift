import Synchronization
import Testing

@testable import SMTPTransport

/// A reply that arrives before its command is never taken for the command's reply.
@Suite struct UnsolicitedReplyTests {
  static let missingExtensions: [[String]] = [[], ["CHUNKING"], ["PIPELINING"], ["CHUNKING", "PIPELINING"]]

  /// Returns a client that receives a stray reply at these reads of its clock, which it reads for the pool, for
  /// each new connection and before each transaction.
  private func client(_ port: HostilePort, _ clockReads: ClosedRange<Int>) -> SMTPClient {
    let reads = ReadCounter()
    return port.client(now: {
      if clockReads.contains(reads.count()) { try? port.say("250 2.0.0 stray\r\n") }
      return 0
    })
  }

  private final class ReadCounter: Sendable {
    private let number = Atomic(0)
    func count() -> Int { number.add(1, ordering: .relaxed).newValue }
  }

  @Test(arguments: missingExtensions)
  func `a stray reply on a new connection replaces the connection and doesn't affect the outcome`(
    _ missing: [String]
  ) throws {
    let port = try hostile(["rcpt": .reply("550 5.1.1 no such user")], without: missing)
    #expect(SMTPTestMail.small.outcomes(client(port, 3...3)) == [.rejected])
    #expect(try port.report().connections == 2)
    #expect(try port.report().commands.filter { $0.hasPrefix("MAIL") }.count == 1)
  }

  @Test(arguments: missingExtensions) func `a stray reply on a second new connection defers the mail`(
    _ missing: [String]
  ) throws {
    let port = try hostile([:], without: missing)
    #expect(SMTPTestMail.small.outcomes(client(port, 3...9)) == [.deferred])
    #expect(try port.report().connections == 2)
    #expect(try port.report().whole.isEmpty)
  }

  @Test(arguments: missingExtensions)
  func `a stray reply between two transactions isn't taken for one of the second`(
    _ missing: [String]
  ) throws {
    let refusals = ["rcpt2": SMTPServerAction.reply("452 4.5.3 too many recipients")]
    var script = SMTPServerScript([:], without: missing)
    script.connections = [refusals, ["rcpt": .reply("550 5.1.1 no such user")]]
    let port = try hostile(script)
    let outcomes = RecipientReplyTests.three.outcomes(client(port, 4...4))
    #expect(outcomes == [.sent, .sent, .rejected])
    #expect(try port.report().connections == 2)
  }

  @Test func `recipients that were sent to stay sent when no token is left for the rest`() throws {
    let refusals = ["rcpt2": SMTPServerAction.reply("452 4.5.3 too many recipients")]
    var script = SMTPServerScript()
    script.connections = [refusals, [:]]
    let port = try hostile(script)
    let tokens = ReadCounter()
    let outcomes = RecipientReplyTests.three.outcomes(client(port, 4...4)) { _ in
      tokens.count() == 1 ? SMTPTestMail.accessToken : nil
    }
    #expect(outcomes == [.sent, .sent, .deferred])
    #expect(try port.report().taken.map(\.recipients) == [["a@example.net", "b@example.net"]])
  }

  @Test(arguments: missingExtensions) func `a refused RSET decides nothing about the next mail`(
    _ missing: [String]
  ) throws {
    var script = SMTPServerScript([:], without: missing)
    // Without an accepted recipient, DATA isn't sent, so the transaction must be reset.
    script.connections = [
      ["rcpt": .reply("550 5.1.1 no such user"), "rset": .reply("554 5.3.0 no RSET here")], [:],
    ]
    let port = try hostile(script)
    let client = port.client()
    #expect(SMTPTestMail.small.outcomes(client) == [.rejected])
    #expect(SMTPTestMail.small.outcomes(client) == [.sent])
    #expect(try port.report().connections == 2)
  }

  @Test func `a body accepted without a recipient is unknown`() throws {
    let port = try hostile([
      "rcpt": .reply("550 5.1.1 no such user"),
      "bdat": SMTPServerAction(reply: "250 2.0.0 taken", consume: true),
    ])
    #expect(SMTPTestMail.small.outcomes(port.client()) == [.unknown])
  }

  @Test func `235 counts only as the reply to AUTH`() throws {
    let faults: [[String: SMTPServerAction]] = [
      ["greeting": .reply("235 2.7.0 welcome")], ["ehlo": .reply("235 2.7.0 welcome")],
    ]
    for fault in faults {
      let port = try hostile(fault, without: ["AUTH"])
      #expect(SMTPTestMail.small.outcomes(port.client()) == [.held(.transport)])
      #expect(try port.report().whole.isEmpty)
    }
  }

  @Test(arguments: ["552 5.5.3 too many", "452 4.5.3 too many", "552 Too many recipients"])
  func `a recipient beyond the limit is never refused permanently`(_ reply: String) throws {
    for missing in Self.missingExtensions {
      let port = try hostile(["rcpt": .reply(reply)], without: missing)
      let outcomes = RecipientReplyTests.three.outcomes(port.client())
      #expect(outcomes == [.deferred, .deferred, .deferred])
    }
  }

  @Test(arguments: ["552 5.2.3 too large", "552 too large"])
  func `a mail refused for its size is unsuited`(_ reply: String) throws {
    for missing in Self.missingExtensions {
      let port = try hostile(["mail": .reply(reply)], without: missing)
      #expect(SMTPTestMail.small.outcomes(port.client()) == [.unsuited])
    }
  }
}
