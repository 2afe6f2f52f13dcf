import Foundation
import PabalTesting
import Testing

/// `check` says in words what a Microsoft account lacks: consent, a license, or a policy that lets it send.
@Suite struct MicrosoftCheckTests {
  private static let folder = "Sources/PabalCore/PabalCore.docc/Guides/Microsoft365.md"

  @Test(arguments: [
    (
      "invalid_grant", "AADSTS65001: The user or administrator has not consented to use the application.",
      "consent to a permission is missing", "Grant admin consent on the app's API permissions page",
      "#2-permission"
    ),
    (
      "invalid_client", "AADSTS650052: The app is trying to access a service that your organization lacks.",
      "the tenant doesn't have the service, for lack of a license", "a subscription with Exchange Online",
      "#2-permission"
    ),
    (
      "invalid_grant", "AADSTS53003: Access has been blocked by Conditional Access policies.",
      "a conditional access policy blocks the login", "ask the tenant's administrator", "#4-login"
    ),
    (
      "invalid_grant", "AADSTS700082: The refresh token has expired due to inactivity.",
      "the login expired because it wasn't used", "log in again: pabal account login office", "#4-login"
    ),
  ])
  func `a refusal of Microsoft's login is explained, and passes when it is fixed`(
    error: String, description: String, cause: String, remedy: String, step: String
  ) throws {
    let site = try MicrosoftSite(["graph"])
    #expect(try site.logIn(1).status == 0)
    try site.server.control(["dead": ["error": error, "description": description]])
    let check = try site.site.pabal("check")
    #expect(check.status == 77)
    #expect(check.output.contains("held  account office (graph): \(cause) (\(error): \(description)); "))
    #expect(check.output.contains(remedy), "\(check.output)")
    #expect(check.output.contains("the guide describes the fix: \(Self.folder)\(step)\n"))
    // An administrator's consent or license takes effect without a new login.
    try site.server.control(json: #"{"dead": null}"#)
    #expect(try site.site.pabal("check").status == 0)
    #expect(try site.site.pabal("account", "status").status == 0)
  }

  private static func refusal(_ status: Int, _ code: String, _ message: String) -> RESTServerAction {
    .status(
      status,
      #"{"error": {"code": "\#(code)", "message": "\#(message)", "innerError": {"date": "2026-11-30T00:00:00"}}}"#
    )
  }

  @Test(arguments: [
    (
      refusal(
        404, "MailboxNotEnabledForRESTAPI", "The mailbox is either inactive, soft-deleted, or on-premise."),
      "has no mailbox in Exchange Online; assign a license with Exchange"
    ),
    (
      refusal(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again."),
      "Access is denied. Check credentials and try again.; consent to Mail.Send (Mail.Send.Shared for \"mailbox\") is missing: add the permission and log the account in again"
    ),
    (
      refusal(
        403, "ErrorAccessDenied",
        "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."),
      "a policy of Exchange keeps the app from this mailbox; ask an Exchange administrator to add the mailbox to the policy's scope (Guides/Microsoft365.md#6-an-app-without-a-user)"
    ),
    (
      refusal(404, "ErrorInvalidUser", "The requested user 'shop@example.test' is invalid."),
      "the mailbox wasn't found; check \"mailbox\""
    ),
    (
      refusal(403, "ErrorAccountSuspend", "Account has been suspended."),
      "look for its restriction at security.microsoft.com/restrictedentities"
    ),
  ])
  func `a refusal of Graph is explained`(act: RESTServerAction, words: String) throws {
    let site = try MicrosoftSite(["graph"], graph: MicrosoftSite.APIScript(always: act))
    #expect(try site.logIn(1).status == 0)
    let check = try site.site.pabal("check")
    #expect(check.status == 77)
    #expect(check.output.contains("ok  account office (graph): fresh"))
    let line = try #require(
      check.output.split(separator: "\n").first { $0.hasPrefix("held  transport graph: ") })
    #expect(line.contains(words), "\(line)")
    #expect(try site.graphReport().taken.isEmpty)
  }

  @Test func `a mailbox added after the login needs another scope, which check names`() throws {
    let site = try MicrosoftSite(["graph"])
    #expect(try site.logIn(1).status == 0)
    try site.site.edit(#""plugin": "graph","#, #""plugin": "graph", "mailbox": "shop@example.test","#)
    for arguments in ["check", "account"] {
      let run = try site.site.pabal(arguments)
      #expect(run.status == 77)
      #expect(
        run.output.contains("the login lacks the scope \(MicrosoftSite.sharedScope)"), "\(run.output)")
      #expect(run.output.contains("log in again: pabal account login office"))
      #expect(run.output.contains("\(Self.folder)#2-permission"))
    }
    #expect(try site.logIn(1).status == 0)
    #expect(try site.site.pabal("check").output.contains("may send as shop@example.test"))
  }
}
