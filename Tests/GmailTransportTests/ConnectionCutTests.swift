import PabalPlugin
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GmailTransport
@testable import PabalREST

/// Connections that end after each byte of the request or the response, by FIN and by RST.
@Suite struct ConnectionCutTests {
  private let cuts = ConnectionCuts(
    listen: { try gmail(GmailServerScript(plain: $0, acts: $1)) }, client: { try $0.client() })

  /// Checks that the server saw each of `count` requests once, and returns the results.
  private func results(_ outcome: ConnectionCuts.Outcome, _ count: Int, whole: Int) -> [SendResult?] {
    #expect(outcome.begun == count)
    #expect(outcome.whole == whole)
    #expect(outcome.strange.isEmpty)
    return outcome.results
  }

  @Test(arguments: CutVariant.all)
  func `a request that is cut is made once and is unknown, because it was sent completely`(
    _ variant: CutVariant
  )
    async throws
  {
    let outcome = try await cuts.outcomeOfRequests(variant)
    #expect(outcome.results.count > 200)
    #expect(outcome.taken == 0)
    for (cut, sendResult) in results(outcome, outcome.results.count, whole: 0).enumerated() {
      #expect(sendResult?.verdict == .unknown, "\(cut + 1): \(sendResult?.message ?? "")")
    }
  }

  @Test(arguments: CutVariant.all)
  func `a response that is cut is unknown until the mail's id has arrived`(_ variant: CutVariant)
    async throws
  {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"id\":\"a\"}\n"
    let lengths = Array(0...answer.utf8.count)
    let sendResults = results(
      try await cuts.outcome(ofResponse: answer, after: lengths, variant), lengths.count, whole: lengths.count
    )
    for (cut, sendResult) in zip(lengths, sendResults) {
      let isWhole = cut >= answer.utf8.count - 1
      // A reset may discard what was written before it.
      let mayBe: Set<Verdict?> = isWhole ? variant.resets ? [.sent, .unknown] : [.sent] : [.unknown]
      #expect(mayBe.contains(sendResult?.verdict), "\(cut): \(sendResult?.message ?? "")")
    }
  }

  @Test(arguments: CutVariant.all.filter(\.plain))
  func `a refusal that is cut is unknown, then deferred, and final only when complete`(_ variant: CutVariant)
    async throws
  {
    let body = "{\"error\":{\"errors\":[{\"reason\":\"invalidArgument\",\"message\":\"Invalid To header\"}]}}"
    let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    let lengths = Array(0...answer.utf8.count)
    let sendResults = results(
      try await cuts.outcome(ofResponse: answer, after: lengths, variant), lengths.count, whole: lengths.count
    )
    let verdicts = sendResults.map { $0?.verdict }
    // A refusal needs the status, and a final outcome needs the reason.
    let status = "HTTP/1.1 400".utf8.count
    for (cut, verdict) in zip(lengths, verdicts) {
      if cut < status { #expect(verdict == .unknown, "\(cut)") }
      #expect(verdict != .sent, "\(cut)")
      if cut < answer.utf8.count - 3 { #expect(verdict == .unknown || verdict == .deferred(), "\(cut)") }
    }
    if !variant.resets {
      #expect(
        verdicts.last != .unknown && verdicts.last != .deferred(), "\(String(describing: verdicts.last))")
      // More of the response never makes the outcome unknown again.
      let known = try #require(verdicts.firstIndex(of: .deferred()))
      #expect(!verdicts[known...].contains(.unknown))
    }
  }

  @Test(arguments: CutVariant.all.filter(\.plain))
  func `a request repeated with a renewed token isn't repeated again after a cut`(_ variant: CutVariant)
    async throws
  {
    // As long as the first token, so that both requests have the same length.
    let renewed = String(RESTTestTokens.first.reversed())
    let acts = (1..<(try cuts.requestLength(variant))).flatMap {
      [.error(401, "authError"), variant.applied(to: RESTServerAction(request: $0))]
    }
    let outcome = try await cuts.outcome(acts, variant, groupsOf: 2) {
      $0 == nil ? RESTTestTokens.first : renewed
    }
    #expect(outcome.results.allSatisfy { $0?.verdict == .unknown })
    #expect(outcome.begun == acts.count)
    #expect(outcome.taken == 0)
  }
}
