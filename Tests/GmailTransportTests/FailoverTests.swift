import PabalCore
import PabalFormats
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GmailTransport
@testable import PabalREST

/// The route `["gmail", "smtp"]`, where `smtp` is a fixture that accepts everything.
@Suite struct FailoverTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func deliver(
    _ port: RESTTestPort, second: String = "sent", unknown: UnknownPolicy = .resend,
    to recipients: [String] = ["bob@example.org"], header: String = "To: bob@example.org",
    tokens: RESTTestTokens = RESTTestTokens()
  ) throws -> Delivery {
    try FailoverRoute(
      [.plugin("gmail", port, account: "google", tokens), .fixture("smtp", act: second)], in: directory
    ).deliver(to: recipients, Array("\(header)\r\n\r\nx\r\n".utf8), unknownPolicy: unknown)
  }

  @Test(arguments: [
    RESTServerAction.error(429, "rateLimitExceeded"), .error(403, "dailyLimitExceeded"),
    .error(403, "domainPolicy"),
    .error(429, "rateLimitExceeded", "User-rate limit exceeded (Mail sending)"),
    .error(400, "failedPrecondition"), .status(413), .error(401, "authError"), .status(408),
  ])
  fileprivate func `quota, a refused account and an outage fail over`(act: RESTServerAction)
    throws
  {
    let port = try gmail(GmailServerScript(acts: [act, act]))
    let delivery = try deliver(port)
    #expect(delivery.receipt.outcome == .sent)
    #expect(delivery.transport == "smtp")
    #expect(delivery.attempts.count == 2)
    #expect(try port.report().taken.isEmpty)
  }

  @Test func `an API that can't be reached fails over`() throws {
    let port = try gmail()
    let nowhere = RESTTestPort(fake: port.fake, port: 1, isPlain: false)
    let delivery = try deliver(nowhere)
    #expect(delivery.attempts.map(\.outcome.name) == ["deferred", "sent"])
    #expect(delivery.attempts[0].reply?.contains("doesn't accept connections") == true)
  }

  @Test func `a token that can't be renewed fails over`() throws {
    let delivery = try deliver(
      try gmail(GmailServerScript(tokens: [:])), tokens: RESTTestTokens(canRenew: false))
    #expect(delivery.attempts.map(\.outcome.name) == ["held", "sent"])
    #expect(delivery.attempts[0].reply?.contains("revoked") == true)
  }

  @Test func `an invalid address doesn't fail over`() throws {
    let delivery = try deliver(try gmail(.error(400, "invalidArgument", "Invalid To header")))
    #expect(delivery.receipt.outcome == .rejected)
    #expect(delivery.attempts.count == 1)
  }

  @Test func `an unknown outcome follows the mail's policy`() throws {
    let lost = RESTServerAction(answer: 0, close: true)
    let again = try deliver(try gmail(lost), unknown: .resend)
    #expect(again.attempts.map(\.outcome.name) == ["unknown", "sent"])
    #expect(again.receipt.outcome == .sent)
    let kept = try deliver(try gmail(lost), unknown: .keep)
    #expect(kept.attempts.count == 1)
    #expect(kept.receipt.outcome == .unknown)
    let both = try deliver(try gmail(lost), second: "rejected", unknown: .resend)
    #expect(both.receipt.outcome == .unknown)
  }

  @Test func `a header that names others fails over to a transport with an envelope`() throws {
    let port = try gmail()
    let delivery = try deliver(port, header: "To: bob@example.org, eve@example.org")
    #expect(delivery.attempts.map(\.outcome.name) == ["unsuited", "sent"])
    #expect(try port.report().connections == 0)
    let alone = try deliver(port, second: "unsuited", header: "Resent-To: bob@example.org")
    #expect(alone.receipt.outcome == .rejected)
  }

  @Test func `recipients who have the mail don't get it again`() throws {
    let port = try gmail()
    let route = FailoverRoute(
      [
        .fixture("smtp", act: "each sent deferred"),
        .plugin("gmail", port, account: "google", RESTTestTokens()),
      ], in: directory)
    let recipients = ["bob@example.org", "carol@example.org"]
    // Gmail would mail bob again.
    let first = try route.deliver(
      to: recipients, Array("To: bob@example.org, carol@example.org\r\n\r\nx\r\n".utf8))
    #expect(first.attempts.map(\.outcome.name) == ["deferred", "unsuited"])
    #expect(try port.report().taken.isEmpty)
    let blind = try route.deliver(to: recipients, Array("To: all:;\r\n\r\nx\r\n".utf8))
    #expect(blind.receipt.outcome == .sent)
    #expect(try port.report().taken.map(\.recipients) == [["carol@example.org"]])
  }
}
