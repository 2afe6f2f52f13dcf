import PabalCore
import PabalFormats
import PabalPlugin
import PabalTesting
import Testing

@testable import GraphTransport
@testable import PabalREST

/// Connections that end after each byte of the request or the response, by FIN and by RST.
@Suite struct GraphFaultTests {
  // The number of ports over which the cuts are distributed.
  private let shares = 6

  private func sendResults(_ acts: [RESTServerAction], resets: Bool, plain: Bool) async throws -> (
    [SendResult?], begun: Int, taken: Int
  ) {
    let actions = acts.map { act -> RESTServerAction in
      var act = act
      act.reset = resets
      act.close = resets ? nil : true
      return act
    }
    let results = try await mapOnThreads(Array(0..<shares)) { share in
      Result {
        let own = stride(from: share, to: actions.count, by: shares).map { actions[$0] }
        let port = try graph(GraphServerScript(plain: plain, acts: own))
        let client = try port.client()
        return (
          sendResults: own.map { _ in GraphTestMail.small.sendResult(client) }, report: try port.report()
        )
      }
    }.map { try $0.get() }
    return (
      acts.indices.map { results[$0 % shares].sendResults[$0 / shares] },
      results.map(\.report.begun).reduce(0, +), results.map(\.report.taken.count).reduce(0, +)
    )
  }

  @Test(arguments: [false, true], [false, true])
  func `a request that is cut is made once and is unknown, because it was sent completely`(
    resets: Bool, plain: Bool
  ) async throws {
    let port = try graph(GraphServerScript(plain: plain))
    #expect(GraphTestMail.small.sendResult(try port.client())?.verdict == .sent)
    let length = try #require(try port.report().lengths.first)
    let cuts = Array(1..<length)
    #expect(cuts.count > 200)
    let (results, begun, taken) = try await sendResults(
      cuts.map { RESTServerAction(request: $0) }, resets: resets, plain: plain)
    for (cut, result) in zip(cuts, results) {
      #expect(result?.verdict == .unknown, "\(cut): \(result?.message ?? "")")
    }
    #expect(begun == cuts.count)
    #expect(taken == 0)
  }

  @Test(arguments: [false, true], [false, true])
  func `an answer that is cut is unknown until its status has arrived`(resets: Bool, plain: Bool)
    async throws
  {
    let answer = "HTTP/1.1 202 Accepted\r\nrequest-id: 8a5f\r\nContent-Length: 0\r\n\r\n"
    let status = "HTTP/1.1 202 Accepted\r\n".utf8.count
    let cuts = Array(0...answer.utf8.count)
    let acts = cuts.map { cut in
      var act = RESTServerAction.raw(answer)
      act.answer = cut
      return act
    }
    let (results, begun, _) = try await sendResults(acts, resets: resets, plain: plain)
    #expect(begun == cuts.count)
    for (cut, result) in zip(cuts, results) {
      // A reset may discard what was written before it.
      let mayBe: Set<Verdict?> = cut < status ? [.unknown] : resets ? [.unknown, .sent] : [.sent]
      #expect(mayBe.contains(result?.verdict), "\(cut): \(result?.message ?? "")")
    }
  }

  @Test(arguments: [false, true])
  func `a refusal that is cut is unknown, then deferred, and final only when complete`(resets: Bool)
    async throws
  {
    let body = #"{"error":{"code":"ErrorInvalidRecipients","message":"At least one recipient isn't valid."}}"#
    let answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
    let cuts = Array(0...answer.utf8.count)
    let acts = cuts.map { cut in
      var act = RESTServerAction.raw(answer)
      act.answer = cut
      return act
    }
    let (results, _, _) = try await sendResults(acts, resets: resets, plain: true)
    for (cut, result) in zip(cuts, results) {
      #expect(result?.verdict != .sent)
      if cut < answer.utf8.count - 1 {
        #expect(
          result?.verdict == .unknown || result?.verdict == .deferred(), "\(cut): \(result?.message ?? "")")
      } else if !resets, cut == answer.utf8.count {
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
        let mail = GraphTestMail.large(2_200_000)
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
    let result = GraphTestMail.small.sendResult(try port.client(timeout: 300))
    #expect(result?.verdict == .unknown)
    #expect(result?.message.contains("300 ms") == true, "\(result?.message ?? "")")
  }
}

/// The route `["graph", "gmail", "smtp"]`, where the last two are fixtures.
@Suite struct GraphFailoverTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func deliver(
    _ port: GraphPort, gmail: String = "sent", bytes: [UInt8]? = nil, tokens: GraphTokens = GraphTokens()
  ) throws -> Delivery {
    let settings = port.settings.mapValues { JSONValue.Content.string($0) }
    func entry(_ name: String, _ open: @escaping @Sendable () throws -> LoadedTransport) -> Route.Entry {
      Route.Entry(name) { () throws(Diagnostic) in
        do { return try open() } catch { throw Diagnostic("\(error)") }
      }
    }
    func fixture(_ name: String, _ act: String) throws -> Route.Entry {
      let faulty = try directory.copy(
        BuiltProducts.fixture("faulty"), to: "\(port.port)-\(name)/libpabal-faulty.so")
      return entry(name) { try TestPlugin.open(faulty, ["act": .string(act)]) }
    }
    let route = Route([
      entry("graph") {
        try TestPlugin.open(BuiltProducts.plugin("graph"), settings, accounts: ["office": tokens])
      },
      try fixture("gmail", gmail), try fixture("smtp", "sent"),
    ])
    defer { route.close() }
    return route.deliver(
      try Mail.sample(
        to: ["bob@example.org"], bytes: bytes ?? Array("To: bob@example.org\r\n\r\nx\r\n".utf8)),
      unknownPolicy: .resend)
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
    let delivery = try deliver(port, tokens: GraphTokens(canRenew: false))
    #expect(delivery.attempts.map(\.outcome.name) == ["held", "sent"])
  }

  @Test func `a mail that is too large goes to the next transport without a request`() throws {
    let port = try graph()
    let delivery = try deliver(
      port, bytes: Array("To: bob@example.org\r\n\r\n".utf8) + GraphTestMail.large(2_300_000).bytes)
    #expect(delivery.attempts.map(\.outcome.name) == ["unsuited", "sent"])
    #expect(try port.report().connections == 0)
  }

  @Test func `invalid recipients don't fail over`() throws {
    let delivery = try deliver(try graph(.graphError(400, "ErrorInvalidRecipients")))
    #expect(delivery.receipt.outcome == .rejected)
    #expect(delivery.attempts.count == 1)
  }
}
