import Foundation
import PabalTesting
import Testing

/// `check` links each problem of an account to the step of the guide that fixes it.
@Suite struct CheckGuideLinkTests {
  /// The server's errors, and the steps of the guide.
  @Test(arguments: [
    (
      ["error": "invalid_client", "description": "The OAuth client was not found."],
      "Google.md#5-desktop-client"
    ),
    (
      ["error": "deleted_client", "description": "The OAuth client was deleted."],
      "Google.md#5-desktop-client"
    ),
    (["error": "invalid_grant", "description": "Bad Request"], "Google.md#6-login"),
    (["error": "invalid_scope", "description": "Bad Request"], "Google.md#2-consent-screen"),
    (["error": "org_internal", "description": "x"], "Google.md#2-consent-screen"),
    (
      ["error": "invalid_grant", "description": "Token has been expired or revoked."],
      "Google.md#3-publishing-status"
    ),
  ])
  func `check links to the step that fixes the problem`(refusal: [String: String], step: String) throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    #expect(try site.logIn().status == 0)
    try server.control(["dead": refusal])
    let check = try site.site.pabal("check")
    #expect(check.status == 77)
    let link = try #require(check.output.split(whereSeparator: \.isWhitespace).first { $0.contains(".md#") })
    #expect(link == "Sources/PabalCore/PabalCore.docc/Guides/\(step)")
    // The step exists, in both languages.
    let parts = link.split(separator: "#")
    let page = try String(contentsOfFile: "\(BuiltProducts.root)/\(parts[0])", encoding: .utf8)
    let number = try #require(parts[1].first)
    let text = try #require(page.split(separator: "\n## ").first { $0.hasPrefix("\(number). ") })
    #expect(text.contains { ("가"..."힣").contains($0) })
    #expect(text.contains("see") || text.contains("says"))
  }

  @Test func `check and login link to the steps for a missing login and a missing client`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    #expect(try site.site.pabal("check").output.contains("Guides/Google.md#6-login"))
    try FileManager.default.removeItem(atPath: "\(site.path)/credentials.json")
    let login = try site.site.pabal("account", "login")
    #expect(login.status == 77)
    #expect(login.errors.contains("\(site.path)/credentials.json: file not found"))
    #expect(login.errors.contains("Guides/Google.md#5-desktop-client"))
  }

  @Test func `check links to the step that enables the Gmail API`() throws {
    struct Act: Encodable { let status = 403, body: String }
    struct Script: Encodable { let plain = true, always: Act }
    struct Port: Decodable { let port: Int }
    let body = """
      {"error": {"code": 403, "message": "Gmail API has not been used in project 1 before or it is disabled.",
        "errors": [{"domain": "usageLimits", "reason": "accessNotConfigured"}], "status": "PERMISSION_DENIED"}}
      """
    let fake = try FakeGmail.shared.get()
    let port = try fake.ask(["listen": Script(always: Act(body: body))], as: Port.self).port
    let site = try AccountSite(
      try AuthorizationServer(), transport: "gmail",
      transports:
        #""gmail": { "plugin": "gmail", "account": "google", "endpoint": "http://localhost:\#(port)" }"#)
    #expect(try site.logIn().status == 0)
    let check = try site.site.pabal("check")
    #expect(check.status == 77)
    #expect(check.output.contains("ok  account google: fresh"))
    #expect(check.output.contains("the Gmail API is off in the Google Cloud project"))
    #expect(check.output.contains("Guides/Google.md#4-gmail-api"))
  }
}
