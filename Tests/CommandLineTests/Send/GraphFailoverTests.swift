import Foundation
import PabalTesting
import Testing

/// The route `["graph", "gmail", "smtp"]`, each with a server of its own.
@Suite struct GraphFailoverTests {
  /// Why a transport can't carry a mail.
  enum Cause: String, CaseIterable, Sendable {
    case quota = "quota"
    case size = "size"
    case login = "login"
    case outage = "outage"

    /// The outcome of an attempt with it.
    var outcome: String { self == .size ? "unsuited" : self == .outage ? "deferred" : "held" }
  }

  private static let route = ["graph", "gmail", "smtp"]

  private static func graphError(_ status: Int, _ code: String) -> RESTServerAction {
    .status(status, #"{"error": {"code": "\#(code)", "message": "No.", "innerError": {}}}"#)
  }

  private static func gmailError(_ status: Int, _ reason: String) -> RESTServerAction {
    .status(
      status,
      #"{"error": {"code": \#(status), "message": "No.", "errors": [{"domain": "global", "reason": "\#(reason)"}]}}"#
    )
  }

  /// Returns a site that is logged in and whose first transport, or first two, fail because of `cause`.
  private static func site(_ cause: Cause, failing count: Int) throws -> MicrosoftSite {
    let graph: RESTServerAction? = cause == .quota ? graphError(403, "ErrorExceededMessageLimit") : nil
    let gmail: RESTServerAction? =
      switch cause {
      case .quota: gmailError(403, "dailyLimitExceeded")
      case .size: .status(413)
      case .login: gmailError(401, "authError")
      case .outage: nil
      }
    let site = try MicrosoftSite(
      route, graph: graph.map { MicrosoftSite.APIScript(always: $0) },
      gmail: MicrosoftSite.APIScript(always: count > 1 ? gmail : nil))
    #expect(try site.logIn(2).status == 0)
    switch cause {
    case .login: try site.endLogin("office.graph.json")
    case .outage:
      for port in [site.ports.graph, site.ports.gmail].prefix(count) {
        try site.site.edit("http://localhost:\(port)", "http://127.0.0.1:1")
      }
    case .quota, .size: break
    }
    return site
  }

  @Test(arguments: Cause.allCases, [1, 2])
  func `pabal send goes on to the next transport, and the mail arrives once`(cause: Cause, failing: Int)
    throws
  {
    let site = try Self.site(cause, failing: failing)
    let line = "the quick brown fox jumps over the lazy dog, and does it again and again.\r\n"
    try site.account.write(
      "From: alice@example.test\r\nTo: bob@example.net\r\nSubject: large\r\n\r\n"
        + String(repeating: line, count: cause == .size ? 31_000 : 1), to: "mail.eml")
    let run = try site.site.pabal("send", "--eml", "mail.eml", "--json")
    #expect(run.status == 0, "\(run.output)")
    let json = try run.json
    #expect(json["outcome"] as? String == "sent")
    #expect(json["transport"] as? String == Self.route[failing])
    let attempts = try #require(json["attempts"] as? [[String: Any]])
    #expect(attempts.map { $0["transport"] as? String } == Array(Self.route[...failing]))
    #expect(
      attempts.map { $0["outcome"] as? String } == Array(repeating: cause.outcome, count: failing) + ["sent"],
      "\(run.output)")
    #expect(try site.graphReport().taken.isEmpty)
    // A mail that is too large isn't even offered.
    #expect(try cause != .size || site.graphReport().connections == 0)
    #expect(try site.gmailReport().taken.count == (failing == 1 ? 1 : 0))
    #expect(
      try site.mailServerReport().taken.map(\.recipients) == (failing == 1 ? [] : [["bob@example.net"]]))
  }

  @Test(arguments: [Cause.quota, .login, .outage], [1, 2])
  func `pabal serve goes on to the next transport, and says which one is held`(cause: Cause, failing: Int)
    throws
  {
    let site = try Self.site(cause, failing: failing)
    try site.site.edit(#""from""#, "\(ServingSite.serve), \"from\"")
    let serving = try ServingSite(site.site)
    for number in 1...2 {
      #expect(try serving.start("person-\(number)@example.net") == 202)
      try eventually {
        try site.gmailReport().taken.count + site.mailServerReport().taken.count == number
      }
    }
    #expect(try site.graphReport().taken.isEmpty)
    #expect(try site.gmailReport().taken.count == (failing == 1 ? 2 : 0))
    #expect(try site.mailServerReport().taken.count == (failing == 1 ? 0 : 2))
    // The account or its limit stays at fault, so the second mail doesn't ask again.
    if cause == .quota { #expect(try site.graphReport().whole == 1) }
    // A short outage holds nothing.
    let ready = try serving.object("/readyz")
    #expect(ready["status"] as? String == (cause == .outage ? "ready" : "degraded"), "\(ready)")
    if cause != .outage { #expect(try serving.detail("graph").hasPrefix("held since "), "\(ready)") }
    // Each login has metrics and a state of its own; Prometheus refuses a series that occurs twice.
    let samples = try serving.ask("/metrics").body.split(separator: "\n").filter { !$0.hasPrefix("#") }
      .map { String($0[..<($0.lastIndex(of: " ") ?? $0.endIndex)]) }
    #expect(Set(samples).count == samples.count)
    for (account, state) in [
      ("office (graph)", cause == .login ? "dead" : "fresh"), ("office (smtp)", "fresh"),
    ] {
      #expect(samples.contains("pabal_account_state{account=\"\(account)\",state=\"\(state)\"}"))
      #expect(try serving.detail("account \(account)").hasPrefix(state))
    }
    let log = try serving.stop()
    for secret in try site.account.secrets() { #expect(!log.contains(secret)) }
  }

  @Test func `an address that Graph refuses doesn't fail over`() throws {
    let refusal = Self.graphError(400, "ErrorInvalidRecipients")
    let site = try MicrosoftSite(Self.route, graph: MicrosoftSite.APIScript(always: refusal))
    #expect(try site.logIn(2).status == 0)
    let run = try site.send()
    #expect(try run.json["outcome"] as? String == "rejected")
    #expect((try run.json["attempts"] as? [Any])?.count == 1)
    #expect(try site.gmailReport().begun == 0)
  }
}
