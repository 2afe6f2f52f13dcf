import Foundation
import PabalPlugin
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GmailTransport
@testable import PabalREST

/// Google's errors, one row each, from the response to the verdict.
@Suite struct ErrorResponseTests {
  static let html = "<!DOCTYPE html><title>Error</title><p>That’s an error."

  static let rows: [ErrorResponseCase] = [
    ErrorResponseCase(
      .error(400, "invalidArgument", "Invalid To header", name: "INVALID_ARGUMENT"), .rejected, "Invalid To"),
    ErrorResponseCase(.error(400, "badRequest", "Recipient address required"), .rejected),
    ErrorResponseCase(.error(400, nil, "Invalid Cc header", name: "INVALID_ARGUMENT"), .rejected),
    ErrorResponseCase(
      .error(400, "failedPrecondition", "Precondition check failed.", name: "FAILED_PRECONDITION"),
      .held(.transport), "mailbox"),
    ErrorResponseCase(.error(400, "failedPrecondition", "Mail service not enabled"), .held(.transport)),
    ErrorResponseCase(.error(400, "badRequest", "Mail service not enabled"), .held(.transport), "mailbox"),
    ErrorResponseCase(.error(400, "neverHeardOf", "No such thing"), .rejected, "No such thing"),
    ErrorResponseCase(.error(400, nil, "No such thing"), .rejected),
    ErrorResponseCase(.status(400, "{\"error\":\"invalid_request\"}"), .held(.transport), "endpoint"),
    ErrorResponseCase(.error(403, nil, name: "RESOURCE_EXHAUSTED"), .deferred()),
    ErrorResponseCase(.status(429, headers: ["Retry-After": "86401"]), .deferred(retryAfter: 86_400)),
    ErrorResponseCase(
      .status(429, headers: ["Retry-After": "99999999999999999999"]), .deferred(retryAfter: 86_400)),
    ErrorResponseCase(.status(400, html), .held(.transport), "endpoint"),
    ErrorResponseCase(.status(400), .held(.transport), "endpoint"),
    ErrorResponseCase(
      .error(
        403, "insufficientPermissions", "Insufficient Permission", name: "PERMISSION_DENIED",
        details: "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), .held(.transport), "scope"),
    ErrorResponseCase(
      .error(403, nil, details: "ACCESS_TOKEN_SCOPE_INSUFFICIENT"), .held(.transport), "scope"),
    ErrorResponseCase(.error(403, "rateLimitExceeded", "Rate Limit Exceeded"), .deferred()),
    ErrorResponseCase(.error(403, "userRateLimitExceeded", "User Rate Limit Exceeded"), .deferred()),
    ErrorResponseCase(
      .error(403, "userRateLimitExceeded", "User-rate limit exceeded.  Retry after 1970-01-01T00:17:19.386Z"),
      .deferred(retryAfter: 40)),
    ErrorResponseCase(.error(403, "dailyLimitExceeded"), .held(.transport), "project"),
    ErrorResponseCase(.error(403, "quotaExceeded"), .held(.transport), "project"),
    ErrorResponseCase(.error(403, "domainPolicy"), .held(.transport), "administrator"),
    ErrorResponseCase(
      .error(403, "accessNotConfigured", details: "SERVICE_DISABLED"), .held(.transport), "API is off"),
    ErrorResponseCase(.error(403, "forbidden", details: "SERVICE_DISABLED"), .held(.transport), "API is off"),
    ErrorResponseCase(.error(403, "neverHeardOf"), .held(.transport)),
    ErrorResponseCase(.status(403, html), .held(.transport), "Error; check \"endpoint\" and \"proxy\""),
    ErrorResponseCase(.error(404, "notFound"), .held(.transport), "endpoint"),
    ErrorResponseCase(.status(404, html), .held(.transport), "endpoint"),
    ErrorResponseCase(.error(413, "uploadTooLarge"), .unsuited),
    ErrorResponseCase(.status(413, html), .unsuited),
    ErrorResponseCase(.error(400, "uploadTooLarge"), .unsuited),
    ErrorResponseCase(.error(429, "rateLimitExceeded", name: "RESOURCE_EXHAUSTED"), .deferred()),
    ErrorResponseCase(
      .error(429, nil, "Too many concurrent requests for user", name: "RESOURCE_EXHAUSTED"), .deferred()),
    ErrorResponseCase(
      .error(
        429, "rateLimitExceeded",
        "User-rate limit exceeded (Mail sending).  Retry after 1970-01-01T02:00:00.000Z"),
      .held(.transport, retryAfter: 6_200), "sending limit"),
    ErrorResponseCase(
      .error(
        429, "userRateLimitExceeded", "User-rate limit exceeded.  Retry after 2026-09-16T03:57:19.386Z"),
      .deferred(retryAfter: 86_400)),
    ErrorResponseCase(.status(429), .deferred()),
    ErrorResponseCase(.status(429, headers: ["Retry-After": "77"]), .deferred(retryAfter: 77)),
    ErrorResponseCase(.status(408, html), .deferred()),
    ErrorResponseCase(.status(421, html), .deferred()), ErrorResponseCase(.status(425), .deferred()),
    // Bodies that aren't JSON: pages of front ends, plain text, and nothing, with the wait in a field or the text.
    ErrorResponseCase(.status(429, html), .deferred(), "429: Error"),
    ErrorResponseCase(
      .status(429, "<html><body><h1>Too Many\n Requests</h1></body>", headers: ["Retry-After": "60"]),
      .deferred(retryAfter: 60), "429: Too Many Requests"),
    ErrorResponseCase(
      .status(429, "Slow down. Retry after 1970-01-01T00:17:19.386Z"), .deferred(retryAfter: 40), "Slow down"),
    ErrorResponseCase(
      .status(429, headers: ["Retry-After": "Thu, 01 Jan 1970 00:17:19 GMT"]), .deferred(retryAfter: 39)),
    ErrorResponseCase(
      .status(429, headers: ["Retry-After": "Thu, 01 Jan 1970 00:00:19 GMT"]), .deferred()),
    ErrorResponseCase(.status(429, headers: ["Retry-After": "Thu, 01 Foo 1970 25:00:19"]), .deferred()),
    ErrorResponseCase(
      .status(
        429,
        #"{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"30.5s"}]}}"#
      ), .deferred(retryAfter: 31)),
    ErrorResponseCase(.status(502, html), .unknown, "502: Error"),
    ErrorResponseCase(
      .status(503, "upstream connect error or disconnect"), .unknown, "upstream connect error"),
    ErrorResponseCase(
      .status(301, headers: ["Location": "https://elsewhere.example/"]), .held(.transport), "redirects"),
    ErrorResponseCase(.error(500, "backendError"), .unknown),
    ErrorResponseCase(.error(503, "backendError", "Backend Error", name: "UNAVAILABLE"), .unknown),
    ErrorResponseCase(.status(500), .unknown),
    ErrorResponseCase(.status(502, html), .unknown),
    ErrorResponseCase(.status(503, html, headers: ["Retry-After": "30"]), .unknown),
    ErrorResponseCase(.status(504), .unknown),
    ErrorResponseCase(.status(200, "{}"), .unknown),
    ErrorResponseCase(.status(200, html), .unknown),
    ErrorResponseCase(.status(204), .unknown),
    ErrorResponseCase(.status(200, "{\"id\": \"x1\"}"), .sent, "x1"),
  ]

  @Test func `a response has the verdict of its row, and its request is made once`() async throws {
    let results = await mapOnThreads(Self.rows) { row in
      Result {
        let port = try gmail(row.act)
        return (RESTTestMail.small.sendResult(try port.client(now: 1_000)), try port.report())
      }
    }
    for (row, result) in zip(Self.rows, results) {
      let (sendResult, report) = try result.get()
      #expect(sendResult?.verdict == row.verdict, "\(row): \(sendResult?.message ?? "")")
      if let word = row.word {
        #expect(
          sendResult?.message.contains(word) == true, "\(row): \(sendResult?.message ?? "")")
      }
      #expect(report.whole == 1, "\(row)")
      #expect(report.strange == [])
    }
  }

  @Test func `a refusal that may be due to a limit of Gmail is unsuited`() throws {
    let errorResponse = RESTServerAction.error(400, "invalidArgument", "Invalid To header")
    var mail = RESTTestMail("To: 밥@example.net", to: "밥@example.net")
    mail.needsSMTPUTF8 = true
    #expect(mail.sendResult(try gmail(errorResponse).client())?.verdict == .unsuited)
    var many = RESTTestMail("To: undisclosed-recipients:;")
    many.recipients = (0..<101).map { "a\($0)@example.net" }
    #expect(many.sendResult(try gmail(errorResponse).client())?.verdict == .unsuited)
  }

  @Test func `a refused token is renewed once and the request repeated once`() throws {
    let port = try gmail(GmailServerScript(tokens: [RESTTestTokens.second: ["gmail.send"]]))
    var renewed: [String?] = []
    let sendResult = RESTTestMail.small.sendResult(try port.client()) {
      renewed.append($0)
      return $0 == nil ? RESTTestTokens.first : RESTTestTokens.second
    }
    #expect(sendResult?.verdict == .sent)
    #expect(renewed == [nil, RESTTestTokens.first])
    #expect(try port.report().tokens == [RESTTestTokens.first, RESTTestTokens.second])
    #expect(try port.report().taken.count == 1)
  }

  @Test func `a token that is refused twice holds the transport and isn't shown`() throws {
    let port = try gmail(GmailServerScript(tokens: [:]))
    let sendResult = RESTTestMail.small.sendResult(try port.client()) {
      $0 == nil ? RESTTestTokens.first : RESTTestTokens.second
    }
    #expect(sendResult?.verdict == .held(.transport))
    #expect(sendResult?.message.contains("log the account in again") == true)
    #expect(try port.report().whole == 2)
    let same = RESTTestMail.small.sendResult(try port.client()) { _ in RESTTestTokens.first }
    #expect(same?.verdict == .held(.transport))
    #expect(try port.report().whole == 3)
    let telling = try gmail(.error(403, "forbidden", "you said \(RESTTestTokens.first)!"))
    #expect(RESTTestMail.small.sendResult(try telling.client())?.message.contains("you said …!") == true)
  }

  @Test func `a token is hidden wherever a response contains it`() throws {
    let token = RESTTestTokens.first
    let sent = RESTTestMail.small.sendResult(try gmail(.status(200, "{\"id\":\"a\(token)b\"}")).client())
    #expect(sent?.verdict == .sent)
    #expect(sent?.id == "a…b")
    #expect(sent?.message == "200 accepted as a…b")
    let marked = RESTTestMail.small.sendResult(
      try gmail(.error(403, "forbidden", "\(token)\u{301}")).client())
    #expect(marked?.message.utf8.firstRange(of: token.utf8) == nil)
    #expect(marked?.message.unicodeScalars.contains("…") == true)
    let profile = try gmail(.status(200, "{\"emailAddress\":\"\(token)\"}")).client()
    #expect(profile.check { _ in token }?.message.hasSuffix("sends as …") == true)
    let later = try gmail(.error(401, "authError"), .error(403, "forbidden", "not \(token)!")).client()
    let sendResult = RESTTestMail.small.sendResult(later) { $0 == nil ? token : RESTTestTokens.second }
    #expect(sendResult?.message.contains("not …!") == true)
    let longer = try gmail(.error(401, "authError"), .error(403, "forbidden", "not \(token)x!")).client()
    #expect(
      RESTTestMail.small.sendResult(longer) { $0 == nil ? token : token + "x" }?.message.contains("not …!")
        == true)
  }

  @Test func `Gmail's message is shown on one line and shortened`() throws {
    let long = String(repeating: "é", count: 2_000)
    let sendResult = RESTTestMail.small.sendResult(
      try gmail(.error(403, "forbidden", "a\r\nb\u{85}c\u{2028}d\0e\u{1B}[1m\(long)")).client())
    #expect(sendResult?.message.hasPrefix("403 forbidden: a  b c d e [1mé") == true)
    #expect(sendResult.map { (1_023...1_024).contains($0.message.utf8.count) } == true)
    let sent = RESTTestMail.small.sendResult(try gmail(.status(200, "{\"id\":\"a\\n\(long)\"}")).client())
    #expect(sent?.verdict == .sent)
    #expect(sent?.id?.hasPrefix("a é") == true)
    #expect(sent?.id?.utf8.count == 1_024)
  }

  @Test func `a scope too narrow for a check is recognized by its details alone`() throws {
    let client = try gmail(.error(403, nil, details: "ACCESS_TOKEN_SCOPE_INSUFFICIENT")).client()
    #expect(client.check { _ in RESTTestTokens.first }?.verdict == .ready)
  }

  @Test func `without a valid token no request is made`() throws {
    let port = try gmail()
    #expect(RESTTestMail.small.sendResult(try port.client()) { _ in nil } == nil)
    for token in ["a b", "a\r\nX: y", "a\0b", "", "é"] {
      #expect(RESTTestMail.small.sendResult(try port.client()) { _ in token }?.verdict == .held(.transport))
    }
    #expect(try port.report().connections == 0)
  }

  @Test(arguments: [
    ("Retry after 1970-01-01T00:17:00Z", 20), ("Retry after 1970-01-01T00:16:40.001Z", 1),
    ("x.  Retry after 1970-01-01T09:17:00+09:00", 20), ("retry after 1970-01-01T00:17:00.000Z.", 20),
    ("Retry after 1970-01-01T00:16:40Z", nil), ("Retry after 1969-12-31T23:59:59Z", nil),
    ("Retry after soon", nil), ("Retry after 1970-13-01T00:17:00Z", nil),
    ("Retry after 1970-01-01T00:17:00", nil),
    ("Retry after 1970-01-01 00:17:00Z", nil), ("", nil), ("Retry after 9999-12-31T23:59:59Z", 86_400),
    ("Retry after 1970-01-01T00:17:00.Z", nil),
  ])
  func `the time in Gmail's message is parsed`(text: String, seconds: Int?) {
    #expect(RetryTime.seconds(in: text, now: 1_000) == seconds)
  }

  @Test func `the time in Gmail's message follows the calendar`() {
    for (text, seconds) in [
      ("2000-02-29T00:00:00Z", 951_782_400), ("2026-09-16T03:57:19Z", 1_789_531_039),
      ("2100-03-01T00:00:00Z", 4_107_542_400), ("1999-12-31T23:59:59Z", 946_684_799),
    ] {
      #expect(RetryTime.seconds(in: "Retry after \(text)", now: seconds - 100) == 100, "\(text)")
    }
  }

  @Test(
    arguments: [
      ("{\"error\":{\"message\":\"\\ud83d\\ude00 \\u0041\\n\\\"\"}}", [], "😀 A\n\""),
      ("{\"error\":\"invalid_token\",\"error_description\":\"x\"}", ["invalid_token"], "x"),
      ("{\"error\":{\"message\":7}}", [], ""), ("{\"error\":[]}", [], ""), ("{", [], ""), ("[", [], ""),
      ("\"", [], ""), ("{\"a\":}", [], ""), ("{\"error\":{\"errors\":7}}", [], ""),
      ("{\"error\":{\"message\":\"\\ud83d\"}}", [], ""), ("nul", [], ""), ("{\"a\":1}x", [], ""),
      (String(repeating: "[", count: 100_000), [], ""),
    ] as [(String, [String], String)])
  func `a body other than Google's error has no reason and no message`(
    body: String, reasons: [String], message: String
  ) {
    let errorResponse = GmailErrorResponse(status: 400, body: Array(body.utf8))
    #expect(errorResponse.response.codes == reasons)
    #expect(errorResponse.response.message == message)
  }
}
