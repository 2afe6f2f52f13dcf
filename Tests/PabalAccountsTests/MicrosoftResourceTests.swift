import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// A Microsoft account's scopes follow from the transports that use it, and each service has tokens of its own.
@Suite struct MicrosoftResourceTests {
  private static let graph = "https://graph.microsoft.com/Mail.Send"
  private static let smtp = "https://outlook.office.com/SMTP.Send"

  private func account(_ transports: String, _ more: String = "") throws -> OAuthAccount {
    let folder = try TemporaryDirectory()
    let text = """
      {"transport": "t", "from": "a@example.com", "transports": {\(transports)},
       "accounts": {"office": {"user": "a@example.com", "provider": "microsoft", "tenant": "t", "client_id": "i"\(more)}}}
      """
    let configuration = try Configuration.read(
      Array(text.utf8), file: "config.json", directory: folder.path, providers: oauthProviders())
    return try #require(try Accounts(configuration).account("office") as? OAuthAccount)
  }

  private let graphTransport = #""t": {"plugin": "graph", "account": "office"}"#
  private let smtpTransport = #""u": {"plugin": "smtp", "host": "smtp.office365.com", "account": "office"}"#

  @Test func `one transport asks for its own scope only`() throws {
    let graph = try account(graphTransport)
    #expect(graph.neededScopes == [Self.graph, "offline_access"])
    #expect(graph.file.path.hasSuffix("/tokens/office.graph.json"))
    #expect(graph.others.isEmpty)
    let smtp = try account(smtpTransport.replacing("\"u\"", with: "\"t\""))
    #expect(smtp.neededScopes == [Self.smtp, "offline_access"])
    #expect(smtp.file.path.hasSuffix("/tokens/office.json"))
    #expect(smtp.title == "office")
  }

  @Test func `a shared mailbox asks for the scope to send as others`() throws {
    let shared = try account(#""t": {"plugin": "graph", "account": "office", "mailbox": "shop@example.com"}"#)
    #expect(shared.neededScopes == ["https://graph.microsoft.com/Mail.Send.Shared", "offline_access"])
  }

  @Test func `two services have a login and a token file each, in the order of the transports`() throws {
    let both = try account("\(graphTransport), \(smtpTransport)")
    #expect(
      both.all.map(\.neededScopes) == [[Self.graph, "offline_access"], [Self.smtp, "offline_access"]])
    #expect(both.all.map(\.title) == ["office (graph)", "office (smtp)"])
    #expect(Set(both.all.map(\.file.path)).count == 2)
  }

  @Test(arguments: [false, true])
  func `each transport gets the tokens for its service`(isApp: Bool) throws {
    let both = try account(
      "\(graphTransport), \(smtpTransport)", isApp ? #", "flow": "app", "client_secret": "s""# : "")
    func source(_ scope: String) -> OAuthAccount? {
      both.source(for: [AccountScope(provider: "microsoft", scope: scope)]) { _ in false } as? OAuthAccount
    }
    #expect(source(Self.graph)?.resource == "graph")
    #expect(source(Self.smtp)?.resource == nil)
    if isApp {
      #expect(source(Self.graph)?.neededScopes == ["https://graph.microsoft.com/.default"])
      #expect(source(Self.smtp)?.neededScopes == ["https://outlook.office365.com/.default"])
    }
    // A plugin that declares no scopes gets those of the first transport.
    #expect((both.source(for: []) { _ in false } as? OAuthAccount)?.resource == "graph")
  }

  @Test func `configured scopes apply as they are`() throws {
    let own = try account("\(graphTransport), \(smtpTransport)", #", "scopes": ["https://x.example/Send"]"#)
    #expect(own.all.map(\.neededScopes) == [["https://x.example/Send"]])
  }

  @Test(
    arguments: [
      ("microsoft:https://a/b", "microsoft", nil, "https://a/b"), ("google:x", "google", nil, "x"),
      ("microsoft+mailbox:https://a/b", "microsoft", "mailbox", "https://a/b"),
    ] as [(Substring, String, String?, String)])
  func `a plugin's scopes name their provider`(
    text: Substring, provider: String, setting: String?, scope: String
  ) {
    #expect(AccountScope(text) == AccountScope(provider: provider, setting: setting, scope: scope))
  }

  @Test(arguments: ["", "x", ":x", "a:", "a+:x", "+a:x", "a+b+c:x", "a:\"x\"", "a:\u{E9}"] as [Substring])
  func `what isn't a scope of a provider is refused`(text: Substring) {
    #expect(AccountScope(text) == nil)
  }
}
