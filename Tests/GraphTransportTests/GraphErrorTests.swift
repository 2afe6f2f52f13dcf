import PabalPlugin
import PabalTesting
import Testing

@testable import GraphTransport
@testable import PabalREST

/// A response and its expected verdict.
struct GraphErrorCase: Sendable, CustomTestStringConvertible {
  let act: RESTServerAction
  let verdict: Verdict
  let word: String?

  init(_ act: RESTServerAction, _ verdict: Verdict, _ word: String? = nil) {
    self.act = act
    self.verdict = verdict
    self.word = word
  }

  var testDescription: String { "\(act.status ?? 0) \(act.body?.prefix(160) ?? "")" }
}

/// Graph's errors, one row each, from the response to the verdict.
@Suite struct GraphErrorTests {
  static let html = "<!DOCTYPE html><title>Error</title>"
  // Microsoft's own example, byte for byte (user-sendmail.md).
  static let documented = """
    {
      "error": {
        "code": "ErrorMimeContentInvalidBase64String",
        "message": "Invalid base64 string for MIME content."
      }
    }
    """

  static let rows: [GraphErrorCase] = [
    GraphErrorCase(.status(400, documented), .unsuited, "Invalid base64 string"),
    GraphErrorCase(.graphError(400, "ErrorMimeContentInvalid"), .unsuited),
    GraphErrorCase(
      .graphError(400, "ErrorInvalidRecipients", "At least one recipient isn't valid."), .rejected),
    GraphErrorCase(.graphError(400, "ErrorMissingRecipients"), .rejected),
    GraphErrorCase(.graphError(400, "SomethingNew", "No such thing"), .unsuited, "No such thing"),
    GraphErrorCase(.graphError(400, "BadRequest", "x", inner: "ErrorInvalidRecipients"), .rejected),
    GraphErrorCase(
      .graphError(400, "BadRequest", "/me request is only valid with delegated authentication flow."),
      .held(.transport), "set \"mailbox\""),
    GraphErrorCase(.status(400, html), .held(.transport), "endpoint"),
    GraphErrorCase(.status(400), .held(.transport), "endpoint"),
    GraphErrorCase(.graphError(402, "PaymentRequired"), .held(.transport), "license"),
    GraphErrorCase(.graphError(403, "ErrorAccessDenied"), .held(.transport), "Mail.Send"),
    GraphErrorCase(.graphError(403, "accessDenied"), .held(.transport), "policy"),
    GraphErrorCase(.graphError(403, "Authorization_RequestDenied"), .held(.transport), "consent"),
    GraphErrorCase(.graphError(403, "ErrorSendAsDenied"), .held(.mail), "Send As"),
    GraphErrorCase(.graphError(403, "ErrorMessageSubmissionBlocked"), .held(.transport), "blocked"),
    GraphErrorCase(.graphError(403, "ErrorAccountSuspend"), .held(.transport), "blocked"),
    GraphErrorCase(.graphError(403, "ErrorExceededMessageLimit"), .held(.transport), "sending limit"),
    GraphErrorCase(
      .graphError(429, "ErrorExceededMessageLimit", headers: ["Retry-After": "600"]),
      .held(.transport, retryAfter: 600), "sending limit"),
    GraphErrorCase(.graphError(403, "ErrorQuotaExceeded"), .held(.transport), "full"),
    GraphErrorCase(.graphError(507, "quotaLimitReached"), .held(.transport), "full"),
    GraphErrorCase(.status(507), .held(.transport), "full"),
    GraphErrorCase(.graphError(403, "extensionError"), .held(.transport), "mailbox"),
    GraphErrorCase(.graphError(403, "neverHeardOf"), .held(.transport)),
    GraphErrorCase(.status(403, html), .held(.transport)),
    GraphErrorCase(.graphError(404, "MailboxNotEnabledForRESTAPI"), .held(.transport), "license"),
    GraphErrorCase(.graphError(404, "ErrorInvalidUser"), .held(.transport), "\"mailbox\""),
    GraphErrorCase(.graphError(404, "ResourceNotFound"), .held(.transport), "\"mailbox\""),
    GraphErrorCase(.status(404, html), .held(.transport), "endpoint"),
    GraphErrorCase(.graphError(405, "Request_BadRequest"), .held(.transport), "endpoint"),
    GraphErrorCase(.status(408, html), .deferred()),
    GraphErrorCase(.graphError(409, "ErrorIrresolvableConflict"), .deferred()),
    GraphErrorCase(.graphError(413, "RequestEntityTooLarge"), .unsuited),
    GraphErrorCase(.status(413, html), .unsuited),
    GraphErrorCase(.graphError(400, "ErrorMessageSizeExceeded"), .unsuited),
    GraphErrorCase(.graphError(415, "UnsupportedMediaType"), .held(.transport), "endpoint"),
    GraphErrorCase(.graphError(423, "locked"), .deferred()),
    GraphErrorCase(
      .graphError(
        429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.",
        headers: ["Retry-After": "10"]), .deferred(retryAfter: 10), "MailboxConcurrency"),
    GraphErrorCase(.graphError(429, "TooManyRequests"), .deferred()),
    GraphErrorCase(.graphError(429, "UnknownError", "", inner: "activityLimitReached"), .deferred()),
    GraphErrorCase(.status(429, headers: ["Retry-After": "86401"]), .deferred(retryAfter: 86_400)),
    GraphErrorCase(.graphError(400, "malwareDetected"), .rejected),
    GraphErrorCase(.graphError(403, "ErrorMessageBlocked"), .rejected),
    GraphErrorCase(
      .status(301, headers: ["Location": "https://elsewhere.example/"]), .held(.transport), "redirects"),
    GraphErrorCase(.graphError(500, "ErrorInternalServerError"), .unknown),
    GraphErrorCase(.graphError(500, "generalException"), .unknown),
    GraphErrorCase(.status(500), .unknown),
    GraphErrorCase(.status(502, html), .unknown),
    GraphErrorCase(
      .graphError(503, "serviceNotAvailable", headers: ["Retry-After": "30"]), .deferred(retryAfter: 30)),
    GraphErrorCase(.graphError(503, "MailboxStoreUnavailable"), .deferred()),
    GraphErrorCase(.graphError(503, "ErrorServerBusy"), .deferred()),
    GraphErrorCase(.status(503), .deferred()),
    GraphErrorCase(.graphError(504, "ServiceUnavailable"), .unknown),
    GraphErrorCase(.graphError(502, "ErrorConnectionFailed"), .unknown),
    GraphErrorCase(.status(504), .unknown),
    GraphErrorCase(.status(509), .deferred()),
    GraphErrorCase(.status(200), .unknown, "instead of 202"),
    GraphErrorCase(.status(200, "{}"), .unknown),
    GraphErrorCase(.status(204), .unknown),
    GraphErrorCase(.status(202), .sent),
    GraphErrorCase(.status(202, "{\"error\": {}}"), .sent),
    // A 202 with Retry-After is accepted; a repetition would send the mail twice (msgraph-sdk-java #1487).
    GraphErrorCase(.status(202, headers: ["Retry-After": "5"]), .sent),
  ]

  @Test func `a response has the verdict of its row, and its request is made once`() async throws {
    let results = await mapOnThreads(Self.rows) { row in
      Result {
        let port = try graph(row.act)
        return (GraphTestMail.small.sendResult(try port.client()), try port.report())
      }
    }
    for (row, result) in zip(Self.rows, results) {
      let (sendResult, report) = try result.get()
      #expect(sendResult?.verdict == row.verdict, "\(row.testDescription): \(sendResult?.message ?? "")")
      if let word = row.word {
        #expect(
          sendResult?.message.contains(word) == true, "\(row.testDescription): \(sendResult?.message ?? "")")
      }
      #expect(report.whole == 1, "\(row.testDescription)")
      #expect(report.strange == [])
    }
  }

  @Test func `a refused token is renewed once and the request repeated once`() throws {
    let port = try graph(GraphServerScript(tokens: [GraphTokens.second: .init()]))
    let result = GraphTestMail.small.sendResult(try port.client()) {
      $0 == nil ? GraphTokens.first : GraphTokens.second
    }
    #expect(result?.verdict == .sent)
    #expect(try port.report().tokens == [GraphTokens.first, GraphTokens.second])
    #expect(try port.report().taken.count == 1)
    let dead = try graph(GraphServerScript(tokens: [:]))
    let refused = GraphTestMail.small.sendResult(try dead.client()) {
      $0 == nil ? GraphTokens.first : GraphTokens.second
    }
    #expect(refused?.verdict == .held(.transport))
    #expect(refused?.message.contains("log the account in again") == true)
    #expect(try dead.report().whole == 2)
  }

  @Test func `a token is hidden wherever a response contains it`() throws {
    let token = GraphTokens.first
    let result = GraphTestMail.small.sendResult(
      try graph(.graphError(403, "ErrorAccessDenied", "you said \(token)!")).client())
    #expect(result?.message.contains("you said …!") == true)
    let sent = GraphTestMail.small.sendResult(
      try graph(
        .raw("HTTP/1.1 202 Accepted\r\nrequest-id: a\(token)b\r\nContent-Length: 0\r\n\r\n")
      ).client())
    #expect(sent?.id == "a…b")
  }
}
