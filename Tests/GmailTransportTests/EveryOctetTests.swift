import PabalPlugin
import PabalTesting
import Testing

@testable import GmailTransport

/// Connections that end after any one octet, of the request or of the answer, by a FIN and by a RST.
@Suite struct EveryOctetTests {
  /// How a connection ends and what it speaks.
  struct Way: CustomTestStringConvertible, Sendable {
    let resets: Bool
    let plain: Bool
    static let all = [false, true].flatMap { resets in [false, true].map { Way(resets: resets, plain: $0) } }
    var testDescription: String { "\(resets ? "RST" : "FIN") over \(plain ? "TCP" : "TLS")" }

    /// `act` with a connection that ends so.
    func ending(_ act: Act) -> Act {
      var act = act
      act.reset = resets
      act.close = resets ? nil : true
      return act
    }
  }

  // So many servers share the cuts.
  private let shares = 6

  /// One mail for each of `acts`, several at once: how each ended. The server saw each of them once.
  private func endings(_ acts: [Act], _ way: Way, whole: Int) async throws -> [Ending?] {
    let bent = acts.map(way.ending)
    let results = try await onThreads(Array(0..<shares)) { share in
      Result {
        let own = stride(from: share, to: bent.count, by: shares).map { bent[$0] }
        let port = try gmail(Script(plain: way.plain, acts: own))
        let courier = try port.courier()
        return (endings: own.map { _ in TestMail.small.ending(courier) }, report: try port.report())
      }
    }.map { try $0.get() }
    #expect(results.map(\.report.begun).reduce(0, +) == acts.count)
    #expect(results.map(\.report.whole).reduce(0, +) == whole)
    #expect(results.allSatisfy { $0.report.strange.isEmpty })
    return acts.indices.map { results[$0 % shares].endings[$0 / shares] }
  }

  /// How a mail ended for each of `cuts`, after so many octets of the whole `answer`.
  private func endings(of answer: String, after cuts: [Int], _ way: Way) async throws -> [Ending?] {
    let acts = cuts.map { cut in
      var act = Act.raw(answer)
      act.answer = cut
      return act
    }
    return try await endings(acts, way, whole: acts.count)
  }

  /// The octets of a request with the small mail, on the wire.
  private func length(_ way: Way) throws -> Int {
    let port = try gmail(Script(plain: way.plain))
    #expect(TestMail.small.ending(try port.courier())?.verdict == .sent)
    return try #require(try port.report().lengths.first)
  }

  @Test(arguments: Way.all)
  func `a request that is cut is asked for once, and is unknown since all of it was out`(_ way: Way)
    async throws
  {
    let cuts = Array(1..<(try length(way)))
    #expect(cuts.count > 200)
    let endings = try await endings(cuts.map { Act(request: $0) }, way, whole: 0)
    for (cut, ending) in zip(cuts, endings) {
      #expect(ending?.verdict == .unknown, "\(cut): \(ending?.words ?? "")")
    }
  }

  @Test(arguments: Way.all)
  func `an answer that is cut is unknown until the id of the mail has come`(_ way: Way) async throws {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"id\":\"a\"}\n"
    let cuts = Array(0...answer.utf8.count)
    let endings = try await endings(of: answer, after: cuts, way)
    for (cut, ending) in zip(cuts, endings) {
      let isWhole = cut >= answer.utf8.count - 1
      // A reset may overtake what had been written before it.
      let mayBe: Set<Verdict?> = isWhole ? way.resets ? [.sent, .unknown] : [.sent] : [.unknown]
      #expect(mayBe.contains(ending?.verdict), "\(cut): \(ending?.words ?? "")")
    }
  }

  @Test(arguments: Way.all.filter(\.plain))
  func `a refusal that is cut is unknown, then deferred, and final only whole`(_ way: Way) async throws {
    let body = "{\"error\":{\"errors\":[{\"reason\":\"invalidArgument\",\"message\":\"Invalid To header\"}]}}"
    let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    let cuts = Array(0...answer.utf8.count)
    let endings = try await endings(of: answer, after: cuts, way)
    let verdicts = endings.map { $0?.verdict }
    // Nothing says no before the status has come, and nothing is final before its reason has.
    let status = "HTTP/1.1 400".utf8.count
    for (cut, verdict) in zip(cuts, verdicts) {
      if cut < status { #expect(verdict == .unknown, "\(cut)") }
      #expect(verdict != .sent, "\(cut)")
      if cut < answer.utf8.count - 3 { #expect(verdict == .unknown || verdict == .deferred(), "\(cut)") }
    }
    if !way.resets {
      #expect(
        verdicts.last != .unknown && verdicts.last != .deferred(), "\(String(describing: verdicts.last))")
      // What has been understood of an answer is not lost again by more of it.
      let known = try #require(verdicts.firstIndex(of: .deferred()))
      #expect(!verdicts[known...].contains(.unknown))
    }
  }

  @Test(arguments: Way.all.filter(\.plain))
  func `a mail that is asked for again with a new token is not sent again by a cut`(_ way: Way) async throws {
    // As long as the first, so that both requests are.
    let renewed = String(TestTokens.first.reversed())
    let count = try length(way)
    let results = try await onThreads(Array(0..<shares)) { share in
      Result {
        let cuts = Array(stride(from: 1 + share, to: count, by: shares))
        let acts = cuts.flatMap { [.error(401, "authError"), way.ending(Act(request: $0))] }
        let port = try gmail(Script(plain: way.plain, acts: acts))
        let courier = try port.courier()
        let endings = cuts.map { _ in
          TestMail.small.ending(courier) { $0 == nil ? TestTokens.first : renewed }
        }
        return (verdicts: endings.map { $0?.verdict }, report: try port.report(), acts: acts.count)
      }
    }.map { try $0.get() }
    for result in results {
      #expect(result.verdicts.allSatisfy { $0 == .unknown })
      #expect(result.report.begun == result.acts)
      #expect(result.report.taken.isEmpty)
    }
  }
}
