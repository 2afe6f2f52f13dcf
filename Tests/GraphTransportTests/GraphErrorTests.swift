import PabalPlugin
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GraphTransport
@testable import PabalREST

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

  static let rows: [ErrorResponseCase] = [
    ErrorResponseCase(.status(400, documented), .unsuited, "Invalid base64 string"),
    ErrorResponseCase(.graphError(400, "ErrorMimeContentInvalid"), .unsuited),
    ErrorResponseCase(
      .graphError(400, "ErrorInvalidRecipients", "At least one recipient isn't valid."), .rejected),
    ErrorResponseCase(.graphError(400, "ErrorMissingRecipients"), .rejected),
    ErrorResponseCase(.graphError(400, "SomethingNew", "No such thing"), .unsuited, "No such thing"),
    ErrorResponseCase(.graphError(400, "BadRequest", "x", inner: "ErrorInvalidRecipients"), .rejected),
    ErrorResponseCase(
      .graphError(400, "BadRequest", "/me request is only valid with delegated authentication flow."),
      .held(.transport), "set \"mailbox\""),
    ErrorResponseCase(.status(400, html), .held(.transport), "endpoint"),
    ErrorResponseCase(.status(400), .held(.transport), "endpoint"),
    ErrorResponseCase(.graphError(402, "PaymentRequired"), .held(.transport), "license"),
    ErrorResponseCase(.graphError(403, "ErrorAccessDenied"), .held(.transport), "Mail.Send"),
    ErrorResponseCase(.graphError(403, "accessDenied"), .held(.transport), "policy"),
    ErrorResponseCase(.graphError(403, "Authorization_RequestDenied"), .held(.transport), "consent"),
    ErrorResponseCase(.graphError(403, "ErrorSendAsDenied"), .held(.mail), "Send As"),
    ErrorResponseCase(.graphError(403, "ErrorMessageSubmissionBlocked"), .held(.transport), "blocked"),
    ErrorResponseCase(.graphError(403, "ErrorAccountSuspend"), .held(.transport), "blocked"),
    ErrorResponseCase(.graphError(403, "ErrorExceededMessageLimit"), .held(.transport), "sending limit"),
    ErrorResponseCase(
      .graphError(429, "ErrorExceededMessageLimit", headers: ["Retry-After": "600"]),
      .held(.transport, retryAfter: 600), "sending limit"),
    ErrorResponseCase(.graphError(403, "ErrorQuotaExceeded"), .held(.transport), "full"),
    ErrorResponseCase(.graphError(507, "quotaLimitReached"), .held(.transport), "full"),
    ErrorResponseCase(.status(507), .held(.transport), "full"),
    ErrorResponseCase(.graphError(403, "extensionError"), .held(.transport), "mailbox"),
    ErrorResponseCase(.graphError(403, "neverHeardOf"), .held(.transport)),
    ErrorResponseCase(.status(403, html), .held(.transport)),
    ErrorResponseCase(.graphError(404, "MailboxNotEnabledForRESTAPI"), .held(.transport), "license"),
    ErrorResponseCase(.graphError(404, "ErrorInvalidUser"), .held(.transport), "\"mailbox\""),
    ErrorResponseCase(.graphError(404, "ResourceNotFound"), .held(.transport), "\"mailbox\""),
    ErrorResponseCase(.status(404, html), .held(.transport), "endpoint"),
    ErrorResponseCase(.graphError(405, "Request_BadRequest"), .held(.transport), "endpoint"),
    ErrorResponseCase(.status(408, html), .deferred()),
    ErrorResponseCase(.graphError(409, "ErrorIrresolvableConflict"), .deferred()),
    ErrorResponseCase(.graphError(413, "RequestEntityTooLarge"), .unsuited),
    ErrorResponseCase(.status(413, html), .unsuited),
    ErrorResponseCase(.graphError(400, "ErrorMessageSizeExceeded"), .unsuited),
    ErrorResponseCase(.graphError(415, "UnsupportedMediaType"), .held(.transport), "endpoint"),
    ErrorResponseCase(.graphError(423, "locked"), .deferred()),
    ErrorResponseCase(
      .graphError(
        429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.",
        headers: ["Retry-After": "10"]), .deferred(retryAfter: 10), "MailboxConcurrency"),
    ErrorResponseCase(.graphError(429, "TooManyRequests"), .deferred()),
    ErrorResponseCase(.graphError(429, "UnknownError", "", inner: "activityLimitReached"), .deferred()),
    ErrorResponseCase(.status(429, headers: ["Retry-After": "86401"]), .deferred(retryAfter: 86_400)),
    ErrorResponseCase(.graphError(400, "malwareDetected"), .rejected),
    ErrorResponseCase(.graphError(403, "ErrorMessageBlocked"), .rejected),
    ErrorResponseCase(
      .status(301, headers: ["Location": "https://elsewhere.example/"]), .held(.transport), "redirects"),
    ErrorResponseCase(.graphError(500, "ErrorInternalServerError"), .unknown),
    ErrorResponseCase(.graphError(500, "generalException"), .unknown),
    ErrorResponseCase(.status(500), .unknown),
    ErrorResponseCase(.status(502, html), .unknown),
    ErrorResponseCase(
      .graphError(503, "serviceNotAvailable", headers: ["Retry-After": "30"]), .deferred(retryAfter: 30)),
    ErrorResponseCase(.graphError(503, "MailboxStoreUnavailable"), .deferred()),
    ErrorResponseCase(.graphError(503, "ErrorServerBusy"), .deferred()),
    ErrorResponseCase(.status(503), .deferred()),
    ErrorResponseCase(.graphError(504, "ServiceUnavailable"), .unknown),
    ErrorResponseCase(.graphError(502, "ErrorConnectionFailed"), .unknown),
    ErrorResponseCase(.status(504), .unknown),
    ErrorResponseCase(.status(509), .deferred()),
    ErrorResponseCase(.status(200), .unknown, "instead of 202"),
    ErrorResponseCase(.status(200, "{}"), .unknown),
    ErrorResponseCase(.status(204), .unknown),
    ErrorResponseCase(.status(202), .sent),
    ErrorResponseCase(.status(202, "{\"error\": {}}"), .sent),
    // A 202 with Retry-After is accepted; a repetition would send the mail twice (msgraph-sdk-java #1487).
    ErrorResponseCase(.status(202, headers: ["Retry-After": "5"]), .sent),
  ]

  @Test func `a response has the verdict of its row, and its request is made once`() async throws {
    let results = await mapOnThreads(Self.rows) { row in
      Result {
        let port = try graph(row.act)
        return (RESTTestMail.small.sendResult(try port.client()), try port.report())
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

  @Test func `a refused token is renewed once and the request repeated once`() throws {
    let port = try graph(GraphServerScript(tokens: [RESTTestTokens.second: .init()]))
    let result = RESTTestMail.small.sendResult(try port.client()) {
      $0 == nil ? RESTTestTokens.first : RESTTestTokens.second
    }
    #expect(result?.verdict == .sent)
    #expect(try port.report().tokens == [RESTTestTokens.first, RESTTestTokens.second])
    #expect(try port.report().taken.count == 1)
    let dead = try graph(GraphServerScript(tokens: [:]))
    let refused = RESTTestMail.small.sendResult(try dead.client()) {
      $0 == nil ? RESTTestTokens.first : RESTTestTokens.second
    }
    #expect(refused?.verdict == .held(.transport))
    #expect(refused?.message.contains("log the account in again") == true)
    #expect(try dead.report().whole == 2)
  }

  @Test func `a token is hidden wherever a response contains it`() throws {
    let token = RESTTestTokens.first
    let result = RESTTestMail.small.sendResult(
      try graph(.graphError(403, "ErrorAccessDenied", "you said \(token)!")).client())
    #expect(result?.message.contains("you said …!") == true)
    let sent = RESTTestMail.small.sendResult(
      try graph(
        .raw("HTTP/1.1 202 Accepted\r\nrequest-id: a\(token)b\r\nContent-Length: 0\r\n\r\n")
      ).client())
    #expect(sent?.id == "a…b")
  }
}
