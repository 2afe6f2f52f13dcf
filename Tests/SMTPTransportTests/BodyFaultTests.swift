import Foundation
import PabalTesting
import Testing

@testable import SMTPTransport

/// Faults while the body is being sent: a partly sent mail is never reported as sent.
@Suite struct BodyFaultTests {
  /// Larger than all buffers, so that a server that stops reading hasn't received it.
  static let large = SMTPTestMail(count: 8_000_000)
  static let acts: [SMTPServerAction] = [
    .close, .reset, .reply("421 4.3.0 bye", close: true), .reply("452 4.3.1 disk full", close: true),
    .reply("552 5.3.4 too big", close: true), .reply("554 5.6.0 no", close: true),
  ]

  @Test(arguments: [[], ["CHUNKING"]])
  func `a connection that ends at any byte of a small mail leaves it decided or unknown`(
    _ missing: [String]
  ) async throws {
    let mail = SMTPTestMail(count: 2_000)
    let size = mail.bytes.count
    let places = [0, 1, 2, 3, 17, size / 2, size - 2, size - 1, size]
    let cases = places.flatMap { place in Self.acts.map { $0.after(place) } }
    let results = await mapOnThreads(cases) { act in
      Result {
        let port = try hostile(["bytes": act], without: missing)
        return (mail.outcomes(port.client()), try port.report())
      }
    }
    for (act, result) in zip(cases, results) {
      let (outcomes, report) = try result.get()
      // The whole mail is sent at once, so a server that closes without a reply may have received it.
      let expected: SMTPOutcome =
        switch act.reply?.prefix(3) {
        case "421", "452": .deferred
        case "552": .unsuited
        case "554": .rejected
        default: .unknown
        }
      // A reset may discard the reply before it, which leaves no reply.
      // A close right after 354 may be noticed before any byte was sent.
      #expect(
        outcomes == [expected] || act.reply != nil && outcomes == [.unknown]
          || act.after == 0 && !missing.isEmpty && outcomes == [.deferred],
        "\(act) at \(act.after ?? 0): \(outcomes ?? [])")
      #expect(report.taken.isEmpty)
    }
  }

  @Test(arguments: [[], ["CHUNKING"]])
  func `a connection that ends within a large mail defers it`(_ missing: [String]) async throws {
    let cases = [0, 1, 16_384, 1_000_000].flatMap { place in Self.acts.map { $0.after(place) } }
    let results = await mapOnThreads(cases) { act in
      Result {
        var script = SMTPServerScript(["bytes": act], without: missing)
        script.receiveBuffer = 16_384
        let port = try hostile(script)
        return (Self.large.outcomes(port.client()), try port.report())
      }
    }
    for (act, result) in zip(cases, results) {
      let (outcomes, report) = try result.get()
      let expected: SMTPOutcome =
        switch act.reply?.prefix(3) {
        case "552": .unsuited
        case "554": .rejected
        default: .deferred
        }
      // The reply before the close may be lost with the connection.
      #expect(
        outcomes == [expected] || act.reply != nil && outcomes == [.deferred],
        "\(act.reply ?? "ends") at \(act.after ?? 0): \(outcomes ?? [])")
      #expect(report.whole.isEmpty)
    }
  }

  @Test(arguments: [[], ["CHUNKING"]])
  func `a server that stops reading within a large mail defers it`(_ missing: [String]) async throws {
    var script = SMTPServerScript(
      ["bytes": SMTPServerAction(freeze: true, after: 100_000)], without: missing)
    script.receiveBuffer = 16_384
    #expect(Self.large.outcomes(try hostile(script).client(timeout: 1_500)) == [.deferred])
    // A server that reads all of it and doesn't reply may have it.
    script.connections = [["bytes": SMTPServerAction(stall: true, after: 100_000)]]
    #expect(Self.large.outcomes(try hostile(script).client(timeout: 3_000)) == [.unknown])
  }

  @Test(arguments: [[], ["CHUNKING"]])
  func `endless replies within a large mail defer it without blocking`(_ missing: [String]) async throws {
    for flood in ["250 2.0.0 ok\r\n", "250-more\r\n", "x", "354 go\r\n", "\0\u{1}\r\n"] {
      var script = SMTPServerScript(
        ["bytes": SMTPServerAction(after: 1_000, flood: flood)], without: missing)
      script.receiveBuffer = 16_384
      let port = try hostile(script)
      #expect(Self.large.outcomes(port.client()) == [.deferred], "\(flood)")
      #expect(try port.report().whole.isEmpty)
    }
  }

  @Test func `a large mail arrives completely while replies are read`() throws {
    let mail = SMTPTestMail(count: 34_000_000)
    for missing in [[], ["CHUNKING"], ["CHUNKING", "PIPELINING"]] {
      let port = try hostile([:], without: missing)
      #expect(mail.outcomes(port.client()) == [.sent])
      let taken = try port.report().taken
      #expect(taken.map(\.size) == [mail.bytes.count])
      #expect(taken.first?.sha256 == SMTPTestMail.sha256(mail.bytes))
    }
  }

  @Test func `a refused envelope stops a large mail while it is being sent`() throws {
    var script = SMTPServerScript(["mail": .reply("552 5.3.4 too big")])
    script.receiveBuffer = 16_384
    let port = try hostile(script)
    #expect(Self.large.outcomes(port.client()) == [.unsuited])
  }
}
