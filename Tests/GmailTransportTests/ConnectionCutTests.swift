import PabalPlugin
import PabalTesting
import Testing

@testable import GmailTransport
@testable import PabalREST

/// Connections that end after each byte of the request or the response, by FIN and by RST.
@Suite struct ConnectionCutTests {
  /// How a connection ends, and whether it uses TLS.
  struct CutVariant: CustomTestStringConvertible, Sendable {
    let resets: Bool
    let plain: Bool
    static let all = [false, true].flatMap { resets in
      [false, true].map { CutVariant(resets: resets, plain: $0) }
    }
    var testDescription: String { "\(resets ? "RST" : "FIN") over \(plain ? "TCP" : "TLS")" }

    /// Returns `act` followed by this end of the connection.
    func applied(to act: RESTServerAction) -> RESTServerAction {
      var act = act
      act.reset = resets
      act.close = resets ? nil : true
      return act
    }
  }

  // The number of ports over which the cuts are distributed.
  private let shares = 6

  /// Sends one mail for each of `acts`, several at once, and returns the results. Checks that the server saw each once.
  private func sendResults(_ acts: [RESTServerAction], _ variant: CutVariant, whole: Int) async throws
    -> [SendResult?]
  {
    let actions = acts.map(variant.applied(to:))
    let results = try await mapOnThreads(Array(0..<shares)) { share in
      Result {
        let own = stride(from: share, to: actions.count, by: shares).map { actions[$0] }
        let port = try gmail(GmailServerScript(plain: variant.plain, acts: own))
        let client = try port.client()
        return (
          sendResults: own.map { _ in GmailTestMail.small.sendResult(client) }, report: try port.report()
        )
      }
    }.map { try $0.get() }
    #expect(results.map(\.report.begun).reduce(0, +) == acts.count)
    #expect(results.map(\.report.whole).reduce(0, +) == whole)
    #expect(results.allSatisfy { $0.report.strange.isEmpty })
    return acts.indices.map { results[$0 % shares].sendResults[$0 / shares] }
  }

  /// Returns the results of mails whose response is cut after each number of bytes in `cuts`.
  private func sendResults(of answer: String, after cuts: [Int], _ variant: CutVariant) async throws
    -> [SendResult?]
  {
    let acts = cuts.map { cut in
      var act = RESTServerAction.raw(answer)
      act.answer = cut
      return act
    }
    return try await sendResults(acts, variant, whole: acts.count)
  }

  /// Returns the size of a request with the small mail.
  private func length(_ variant: CutVariant) throws -> Int {
    let port = try gmail(GmailServerScript(plain: variant.plain))
    #expect(GmailTestMail.small.sendResult(try port.client())?.verdict == .sent)
    return try #require(try port.report().lengths.first)
  }

  @Test(arguments: CutVariant.all)
  func `a request that is cut is made once and is unknown, because it was sent completely`(
    _ variant: CutVariant
  )
    async throws
  {
    let cuts = Array(1..<(try length(variant)))
    #expect(cuts.count > 200)
    let sendResults = try await sendResults(cuts.map { RESTServerAction(request: $0) }, variant, whole: 0)
    for (cut, sendResult) in zip(cuts, sendResults) {
      #expect(sendResult?.verdict == .unknown, "\(cut): \(sendResult?.message ?? "")")
    }
  }

  @Test(arguments: CutVariant.all)
  func `a response that is cut is unknown until the mail's id has arrived`(_ variant: CutVariant)
    async throws
  {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"id\":\"a\"}\n"
    let cuts = Array(0...answer.utf8.count)
    let sendResults = try await sendResults(of: answer, after: cuts, variant)
    for (cut, sendResult) in zip(cuts, sendResults) {
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
    let cuts = Array(0...answer.utf8.count)
    let sendResults = try await sendResults(of: answer, after: cuts, variant)
    let verdicts = sendResults.map { $0?.verdict }
    // A refusal needs the status, and a final outcome needs the reason.
    let status = "HTTP/1.1 400".utf8.count
    for (cut, verdict) in zip(cuts, verdicts) {
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
    let renewed = String(TestTokens.first.reversed())
    let count = try length(variant)
    let results = try await mapOnThreads(Array(0..<shares)) { share in
      Result {
        let cuts = Array(stride(from: 1 + share, to: count, by: shares))
        let acts = cuts.flatMap {
          [.error(401, "authError"), variant.applied(to: RESTServerAction(request: $0))]
        }
        let port = try gmail(GmailServerScript(plain: variant.plain, acts: acts))
        let client = try port.client()
        let sendResults = cuts.map { _ in
          GmailTestMail.small.sendResult(client) { $0 == nil ? TestTokens.first : renewed }
        }
        return (verdicts: sendResults.map { $0?.verdict }, report: try port.report(), acts: acts.count)
      }
    }.map { try $0.get() }
    for result in results {
      #expect(result.verdicts.allSatisfy { $0 == .unknown })
      #expect(result.report.begun == result.acts)
      #expect(result.report.taken.isEmpty)
    }
  }
}
