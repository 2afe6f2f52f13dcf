import Foundation
import PabalFormats
import PabalPlugin
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GmailTransport
@testable import PabalREST

/// Connections that end, stall or are slow: the outcome agrees with what the server received.
@Suite struct HTTPFaultTests {
  private func run(
    _ acts: [RESTServerAction], _ mail: RESTTestMail = .small, timeout: Int = 20_000,
    finalTimeout: Int? = nil
  ) async throws -> [(sendResult: SendResult?, report: RESTServerReport)] {
    try await mapOnThreads(acts) { act in
      Result {
        let port = try gmail(act)
        let sendResult = mail.sendResult(try port.client(timeout: timeout, finalTimeout: finalTimeout))
        return (sendResult: sendResult, report: try port.report())
      }
    }.map { try $0.get() }
  }

  @Test(arguments: [false, true])
  func `a request cut at any byte is made once and never counts as sent`(resets: Bool) async throws {
    let acts = [1, 2, 3, 17, 40, 100, 150, 199, 200, 201, 240, 260].map {
      RESTServerAction(request: $0, close: resets ? nil : true, reset: resets)
    }
    for (act, result) in zip(acts, try await run(acts)) {
      // The kernel accepted all of the small mail, so only the server knows whether it read it completely.
      #expect(
        result.sendResult?.verdict == .unknown, "\(act.request ?? 0): \(result.sendResult?.message ?? "")")
      #expect(result.report.begun == 1)
      #expect(result.report.taken.isEmpty)
    }
  }

  @Test(arguments: [false, true])
  func `a large mail cut before its end is deferred`(resets: Bool) async throws {
    let acts = [1, 300, 5_000, 20_000, 100_000, 1_000_000].map {
      RESTServerAction(request: $0, close: resets ? nil : true, reset: resets)
    }
    for (act, result) in zip(acts, try await run(acts, .large(16_000_000))) {
      #expect(
        result.sendResult?.verdict == .deferred(), "\(act.request ?? 0): \(result.sendResult?.message ?? "")")
      #expect(result.report.begun == 1)
      #expect(result.report.whole == 0)
    }
  }

  @Test(arguments: [false, true])
  func `a response cut at any byte is unknown until the mail's id has arrived`(resets: Bool)
    async throws
  {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{\"id\":\"a\"}\n"
    let count = answer.utf8.count
    let cuts = [0, 1, 9, 16, 17, 18, 30, count - 13, count - 12, count - 11, count - 3, count - 2, count]
    let acts = cuts.map { cut -> RESTServerAction in
      var act = RESTServerAction.raw(answer, close: resets ? nil : true)
      act.answer = cut
      act.reset = resets
      return act
    }
    for (cut, result) in zip(cuts, try await run(acts)) {
      // A reset may discard what was written before it.
      let mayBe: Set<Verdict?> = cut < count - 1 ? [.unknown] : resets ? [.unknown, .sent] : [.sent]
      #expect(mayBe.contains(result.sendResult?.verdict), "\(cut): \(result.sendResult?.message ?? "")")
      #expect(result.report.whole == 1)
    }
  }

  @Test func `an id that arrives before the mail was sent isn't the mail's`() async throws {
    let early = RESTServerAction(status: 200, body: "{\"id\":\"a\"}", early: true)
    let result = try await run([early], .large(16_000_000))[0]
    #expect(result.sendResult?.verdict == .deferred())
    var exchange = HTTPExchange()
    exchange.status = 200
    exchange.body = Array("{\"id\":\"a\"}".utf8)
    for isFullySent in [false, true] {
      exchange.isFullySent = isFullySent
      let verdict = try RESTTestMail.small.bytes.withUnsafeBytes { bytes in
        let mail = RESTMail(sender: "a@b.test", recipients: ["bob@example.net"], bytes: bytes)
        let api = RESTServer(try HTTPEndpoint("https://x.test", query: .refused))
        return ResponseClassifier.sendResult(
          of: exchange, mail, try mail.reconciled(for: GmailAPI.limits), api, now: 0
        ).verdict
      }
      #expect(verdict == (isFullySent ? .sent : .deferred()))
    }
  }

  @Test func `a slow response must end within the timeout`() async throws {
    // Connecting may take longer on a busy machine.
    let result = try await run([RESTServerAction(drip: true, pause: 0.1)], finalTimeout: 300)[0]
    #expect(result.sendResult?.verdict == .unknown)
    #expect(
      result.sendResult?.message.contains("within 300 ms") == true, "\(result.sendResult?.message ?? "")")
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{\"id\":\"a\"}"
    let acts = [8, 9].map {
      RESTServerAction.raw(String(repeating: "HTTP/1.1 102 Wait\r\n\r\n", count: $0) + answer)
    }
    #expect(try await run(acts).map { $0.sendResult?.verdict } == [.sent, .unknown])
  }

  @Test func `an id is found in up to one mebibyte of JSON`() async throws {
    let acts = [1_000_000, 1 << 20].map { count in
      RESTServerAction.status(200, "{\"x\":\"\(String(repeating: "x", count: count))\",\"id\":\"a\"}")
    }
    #expect(try await run(acts).map { $0.sendResult?.verdict } == [.sent, .unknown])
  }

  @Test func `a refusal without its reason is deferred`() async throws {
    let acts = [400, 403, 429].map { status -> RESTServerAction in
      var act = RESTServerAction.error(status, "domainPolicy")
      act.headers = ["X-Filler": String(repeating: "x", count: 300)]
      act.answer = 250
      act.close = true
      return act
    }
    for result in try await run(acts) { #expect(result.sendResult?.verdict == .deferred()) }
  }

  @Test func `a response may have any valid form`() async throws {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    let acts = [
      RESTServerAction(chunked: true), RESTServerAction(continue: true), RESTServerAction(drip: true),
      RESTServerAction(chunked: true, drip: true),
      RESTServerAction(headers: ["Connection": "close"]),
      RESTServerAction(headers: ["X-Long": String(repeating: "y", count: 9_000)]),
      .raw(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Wait\r\nX: y\r\n\r\n\(head)Content-Length: 10\r\n\r\n{\"id\":\"a\"}"
      ),
      .raw("\(head)\r\n{\"id\":\"until the end\"}", close: true),
      .raw("HTTP/1.0 200\r\n\r\n{\"id\":\"old\"}", close: true),
      .raw(
        "\(head)transfer-encoding: Chunked\r\n\r\n4;x=y\r\n{\"id\r\n006\r\n\":\"b\"}\r\n0\r\nTrailer: x\r\n\r\n"
      ),
      .raw("HTTP/1.1 200 OK\nContent-Length: 10\n\n{\"id\":\"c\"}"),
    ]
    for (act, result) in zip(acts, try await run(acts)) {
      #expect(result.sendResult?.verdict == .sent, "\(act): \(result.sendResult?.message ?? "")")
    }
  }

  @Test func `a response that isn't HTTP decides nothing`() async throws {
    let head = "HTTP/1.1 200 OK\r\n"
    let acts: [RESTServerAction] = [
      .raw("220 smtp.example ESMTP\r\n", close: true), .raw("\0\0\0\0\r\n\r\n", close: true),
      .raw("HTTP/2 200\r\n\r\n", close: true), .raw("HTTP/1.1 20 OK\r\n\r\n", close: true),
      .raw("HTTP/1.1 2000 OK\r\n\r\n", close: true), .raw("HTTP/1.1  200 OK\r\n\r\n", close: true),
      .raw(String(repeating: "x", count: 200_000), close: true),
      .raw("HTTP/1.1 100 Continue\r\n\r\n", close: true),
    ]
    for (act, result) in zip(acts, try await run(acts)) {
      #expect(result.sendResult?.verdict == .unknown, "\(act): \(result.sendResult?.message ?? "")")
    }
    // The status is valid but proves nothing without an id.
    let invalidResponse = [
      "\(head)Content-Length: x\r\n\r\n", "\(head)Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
      "\(head)no field\r\n\r\n", "\(head)Transfer-Encoding: gzip\r\n\r\n",
      "\(head)Transfer-Encoding: chunked\r\n\r\nzz\r\n",
      "\(head)X: \(String(repeating: "x", count: 2_000_000))",
      "\(head)Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{\"id\":\"a\"}\r\n0\r\n\r\n",
      "\(head)Transfer-Encoding: chunked\r\n\r\na\r\n{\"id\":\"a\"}\r\nzz\r\n",
      "\(head)\r\n<!DOCTYPE html><title>Hotel</title>",
    ]
    for result in try await run(invalidResponse.map { .raw($0, close: true) }) {
      #expect(result.sendResult?.verdict == .unknown, "\(result.sendResult?.message ?? "")")
    }
  }

  @Test func `a missing response is unknown after the mail was sent`() async throws {
    let silent = try await run([RESTServerAction(stall: true)], finalTimeout: 300)
    #expect(silent[0].sendResult?.verdict == .unknown)
    #expect(silent[0].report.whole == 1)
    #expect(silent[0].sendResult?.message.contains("sent nothing for 300 ms") == true)
  }

  @Test func `a response may take longer than sending may stall`() throws {
    let slow = try gmail(RESTServerAction(drip: true, pause: 0.01))
    #expect(
      RESTTestMail.small.sendResult(try slow.client(timeout: 100, finalTimeout: 20_000))?.verdict == .sent)
    let silent = try gmail(RESTServerAction(stall: true))
    let result = RESTTestMail.small.sendResult(try silent.client(timeout: 20_000, finalTimeout: 300))
    #expect(result?.verdict == .unknown)
    #expect(result?.message.contains("sent nothing for 300 ms") == true, "\(result?.message ?? "")")
  }

  @Test func `after the response of a failing server the next mail takes a new connection`() throws {
    let port = try gmail(.plain, .status(503), .plain, .plain, .error(500, "backendError"), .plain)
    let client = try port.client()
    let verdicts = (0..<6).map { _ in RESTTestMail.small.sendResult(client)?.verdict }
    #expect(verdicts == [.sent, .unknown, .sent, .sent, .unknown, .sent])
    #expect(try port.report().connections == 3)
  }

  @Test(arguments: [408, 421])
  func `a request that a kept connection was too old for is repeated once over a new one`(status: Int) throws
  {
    let port = try gmail(.plain, .status(status), .plain, .status(status), .status(status), .plain)
    let client = try port.client()
    let verdicts = (0..<4).map { _ in RESTTestMail.small.sendResult(client)?.verdict }
    #expect(verdicts == [.sent, .sent, .deferred(), .sent])
    let report = try port.report()
    #expect(report.taken.count == 3)
    #expect(report.connections == 4)
  }

  @Test func `a connection that the server keeps for a second isn't used again`() throws {
    let short = RESTServerAction.status(200, #"{"id": "x"}"#, headers: ["Keep-Alive": "max=9, timeout=1"])
    let long = RESTServerAction.status(200, #"{"id": "x"}"#, headers: ["Keep-Alive": "timeout=30"])
    let port = try gmail(short, long, .plain)
    let client = try port.client()
    for _ in 0..<3 { #expect(RESTTestMail.small.sendResult(client)?.verdict == .sent) }
    #expect(try port.report().connections == 2)
  }

  @Test func `a response that arrives before the mail was sent decides`() async throws {
    let refusals = [(413, Verdict.unsuited), (503, .deferred()), (429, .deferred())]
    let acts = refusals.map { RESTServerAction(status: $0.0, body: "", early: true) }
    for ((status, verdict), result) in zip(refusals, try await run(acts, .large(16_000_000))) {
      // Closing with unread data causes a reset, which may discard the response.
      #expect(
        [verdict, .deferred()].contains(result.sendResult?.verdict),
        "\(status): \(result.sendResult?.message ?? "")")
      #expect(result.report.whole == 0)
    }
  }

  @Test func `a kept connection that was closed is replaced before the next mail`() throws {
    let port = try gmail()
    let client = try port.client()
    #expect(RESTTestMail.small.sendResult(client)?.verdict == .sent)
    try port.hangUp()
    #expect(RESTTestMail.small.sendResult(client)?.verdict == .sent)
    let report = try port.report()
    #expect(report.connections == 2)
    #expect(report.whole == 2)
    #expect(report.taken.count == 2)
  }

  @Test func `a mail during which a kept connection ends is unknown and isn't sent twice`() throws {
    for act in [RESTServerAction(answer: 0, close: true), RESTServerAction(answer: 0, reset: true)] {
      let port = try gmail(.plain, act)
      let client = try port.client()
      #expect(RESTTestMail.small.sendResult(client)?.verdict == .sent)
      #expect(RESTTestMail.small.sendResult(client)?.verdict == .unknown)
      let report = try port.report()
      #expect(report.whole == 2)
      #expect(report.connections == 1)
      #expect(RESTTestMail.small.sendResult(client)?.verdict == .sent)
    }
  }

  @Test func `mails share one connection`() throws {
    let port = try gmail(.plain, .error(429, "rateLimitExceeded"), RESTServerAction(chunked: true))
    let client = try port.client()
    let verdicts = (0..<5).map { _ in RESTTestMail.small.sendResult(client)?.verdict }
    #expect(verdicts == [.sent, .deferred(), .sent, .sent, .sent])
    #expect(try port.report().connections == 1)
  }

  @Test func `concurrent requests use a connection each`() async throws {
    let port = try gmail(GmailServerScript(always: RESTServerAction(drip: true)))
    let client = try port.client()
    let sendResults = await mapOnThreads(Array(0..<8)) { _ in
      (0..<3).map { _ in RESTTestMail.small.sendResult(client) }
    }
    #expect(sendResults.joined().allSatisfy { $0?.verdict == .sent })
    let report = try port.report()
    #expect(report.taken.count == 24)
    #expect(report.connections <= 8)
  }

  @Test func `a mail of many TLS records arrives byte for byte`() throws {
    let port = try gmail()
    let client = try port.client()
    for size in [16_000, 16_384, 16_385, 40_000, 900_000] {
      let mail = RESTTestMail.large(size)
      #expect(mail.sendResult(client)?.verdict == .sent)
      #expect(try port.report().taken.last?.bytes.map { Array($0) } == mail.bytes)
    }
    var header = RESTTestMail(
      "To: bob@example.net\r\nX: \(String(repeating: "y ", count: 20_000))\r\nBcc: c@x.org")
    header.recipients = ["bob@example.net", "c@x.org", "d@x.org"]
    #expect(header.sendResult(client)?.verdict == .sent)
    #expect(try port.report().taken.last?.bcc == ["d@x.org", "c@x.org"])
    let plain = try gmail(GmailServerScript(plain: true))
    #expect(RESTTestMail.large(3_000_000).sendResult(try plain.client())?.verdict == .sent)
    #expect(try plain.report().taken.last?.size == RESTTestMail.large(3_000_000).bytes.count)
  }
}
