import PabalCore
import PabalFormats
import PabalPlugin
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GraphTransport
@testable import PabalREST

/// Connections that end after each byte of the request or the response, by FIN and by RST.
@Suite struct GraphFaultTests {
  private let cuts = ConnectionCuts(
    listen: { try graph(GraphServerScript(plain: $0, acts: $1)) }, client: { try $0.client() })

  @Test(arguments: CutVariant.all)
  func `a request that is cut is made once and is unknown, because it was sent completely`(
    _ variant: CutVariant
  ) async throws {
    let outcome = try await cuts.outcomeOfRequests(variant)
    #expect(outcome.results.count > 200)
    for (cut, result) in outcome.results.enumerated() {
      #expect(result?.verdict == .unknown, "\(cut + 1): \(result?.message ?? "")")
    }
    #expect(outcome.begun == outcome.results.count)
    #expect(outcome.taken == 0)
    #expect(outcome.strange == [])
  }

  @Test(arguments: CutVariant.all)
  func `an answer that is cut is unknown until its status has arrived`(_ variant: CutVariant) async throws {
    let answer = "HTTP/1.1 202 Accepted\r\nrequest-id: 8a5f\r\nContent-Length: 0\r\n\r\n"
    let status = "HTTP/1.1 202 Accepted\r\n".utf8.count
    let lengths = Array(0...answer.utf8.count)
    let outcome = try await cuts.outcome(ofResponse: answer, after: lengths, variant)
    #expect(outcome.begun == lengths.count)
    for (cut, result) in zip(lengths, outcome.results) {
      // A reset may discard what was written before it.
      let mayBe: Set<Verdict?> =
        cut < status ? [.unknown] : variant.resets ? [.unknown, .sent] : [.sent]
      #expect(mayBe.contains(result?.verdict), "\(cut): \(result?.message ?? "")")
    }
  }

  @Test(arguments: CutVariant.all.filter(\.plain))
  func `a refusal that is cut is unknown, then deferred, and final only when complete`(_ variant: CutVariant)
    async throws
  {
    let body = #"{"error":{"code":"ErrorInvalidRecipients","message":"At least one recipient isn't valid."}}"#
    let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    let lengths = Array(0...answer.utf8.count)
    let results = try await cuts.outcome(ofResponse: answer, after: lengths, variant).results
    for (cut, result) in zip(lengths, results) {
      #expect(result?.verdict != .sent)
      if cut < answer.utf8.count - 1 {
        #expect(
          result?.verdict == .unknown || result?.verdict == .deferred(), "\(cut): \(result?.message ?? "")")
      } else if !variant.resets, cut == answer.utf8.count {
        #expect(result?.verdict == .rejected)
      }
    }
  }

  @Test(arguments: [false, true])
  func `a large mail cut before its end is deferred`(resets: Bool) async throws {
    let results = try await mapOnThreads([1, 300, 5_000, 20_000, 100_000]) { cut in
      Result {
        let port = try graph(
          GraphServerScript(acts: [RESTServerAction(request: cut, close: resets ? nil : true, reset: resets)])
        )
        let mail = RESTTestMail.large(2_200_000)
        return (mail.sendResult(try port.client()), try port.report())
      }
    }.map { try $0.get() }
    for (result, report) in results {
      // What the kernel's buffers took may count as sent completely only if all of it fits.
      #expect(result?.verdict == .deferred() || result?.verdict == .unknown, "\(result?.message ?? "")")
      #expect(report.begun == 1)
      #expect(report.taken.isEmpty)
    }
  }

  @Test func `an API that stalls is unknown after its timeout`() throws {
    let port = try graph(RESTServerAction(stall: true))
    let result = RESTTestMail.small.sendResult(try port.client(timeout: 300))
    #expect(result?.verdict == .unknown)
    #expect(result?.message.contains("300 ms") == true, "\(result?.message ?? "")")
  }
}

/// The route `["graph", "gmail", "smtp"]`, where the last two are fixtures.
@Suite struct GraphFailoverTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func deliver(
    _ port: RESTTestPort, gmail: String = "sent", bytes: [UInt8]? = nil,
    tokens: RESTTestTokens = RESTTestTokens()
  ) throws -> Delivery {
    try FailoverRoute(
      [
        .plugin("graph", port, account: "office", tokens), .fixture("gmail", act: gmail),
        .fixture("smtp", act: "sent"),
      ], in: directory
    ).deliver(bytes ?? Array("To: bob@example.org\r\n\r\nx\r\n".utf8))
  }

  @Test(arguments: [
    RESTServerAction.graphError(429, "ApplicationThrottled"), .graphError(403, "ErrorExceededMessageLimit"),
    .graphError(403, "ErrorAccessDenied"), .graphError(404, "MailboxNotEnabledForRESTAPI"),
    .graphError(503, "serviceNotAvailable"), .status(413), .graphError(401, "InvalidAuthenticationToken"),
  ])
  func `quota, a refused account, size and an outage fail over`(act: RESTServerAction) throws {
    let port = try graph(GraphServerScript(acts: [act, act]))
    let delivery = try deliver(port)
    #expect(delivery.receipt.outcome == .sent)
    #expect(delivery.transport == "gmail")
    #expect(try port.report().taken.isEmpty)
    let further = try deliver(try graph(GraphServerScript(acts: [act, act])), gmail: "deferred")
    #expect(further.transport == "smtp")
    #expect(further.attempts.count == 3)
  }

  @Test func `a dead login fails over`() throws {
    let port = try graph(GraphServerScript(tokens: [:]))
    let delivery = try deliver(port, tokens: RESTTestTokens(canRenew: false))
    #expect(delivery.attempts.map(\.outcome.name) == ["held", "sent"])
  }

  @Test func `a mail that is too large goes to the next transport without a request`() throws {
    let port = try graph()
    let delivery = try deliver(
      port, bytes: Array("To: bob@example.org\r\n\r\n".utf8) + RESTTestMail.large(2_300_000).bytes)
    #expect(delivery.attempts.map(\.outcome.name) == ["unsuited", "sent"])
    #expect(try port.report().connections == 0)
  }

  @Test func `invalid recipients don't fail over`() throws {
    let delivery = try deliver(try graph(.graphError(400, "ErrorInvalidRecipients")))
    #expect(delivery.receipt.outcome == .rejected)
    #expect(delivery.attempts.count == 1)
  }
}
