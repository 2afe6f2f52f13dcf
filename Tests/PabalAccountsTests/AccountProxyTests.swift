import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// Token endpoints behind a company's proxy.
@Suite struct AccountProxyTests {
  private func problem(_ entry: String) throws -> AccessTokenError {
    let folder = try TemporaryDirectory()
    try TestAccount.write(
      #"{"refresh_token": "r", "client_id": "c", "client_secret": "s", "token_uri": "https://server.pabal.test/token"}"#,
      to: "tokens/a.json", in: folder)
    return try TestAccount(
      #""provider": "google", "token": "tokens/a.json", \#(entry)"#, in: folder
    ).problem()
  }

  @Test func `renewals go through the proxy with its login, and TLS is with the token endpoint`() throws {
    let server = try AuthorizationServer()
    let proxy = try ConnectProxy(to: server.port, login: "me:s3cret")
    // The server behind the tunnel speaks no TLS, so the renewal fails, but with an error of TLS.
    let problem = try problem(#""proxy": "http://me:s3cret@127.0.0.1:\#(proxy.port)""#)
    #expect(try problem.deferred.contains("server.pabal.test failed"))
    #expect(try proxy.requests().last?.request == "CONNECT server.pabal.test:443 HTTP/1.1")
    #expect(try proxy.requests().last?.fields["proxy-authorization"] == "Basic bWU6czNjcmV0")
  }

  @Test func `a refused login at the proxy holds the account, without showing the password`() throws {
    let proxy = try ConnectProxy(to: 1, login: "me:right")
    let problem = try problem(#""proxy": "http://me:s3cret@127.0.0.1:\#(proxy.port)""#)
    #expect(try problem.held.contains("status 407"))
    #expect(try problem.held.contains("the account's \"proxy\""))
    #expect(try !problem.held.contains("s3cret"))
    #expect(try !problem.held.contains("log in again"))
  }

  @Test func `the proxy can be a secret, and a broken one is named without its text`() throws {
    let folder = try TemporaryDirectory()
    try TestAccount.write("socks5://me:s3cret@proxy:1", to: "proxy", in: folder)
    let problem = try problem(#""proxy": {"file": "\#(folder.path)/proxy"}"#)
    #expect(try problem.held.contains("accounts.a.proxy: the proxy is not an HTTP proxy"))
    #expect(try !problem.held.contains("s3cret"))
  }

  @Test(arguments: ["google", "google-service-account", "microsoft", "oauth2"])
  func `every provider reads a proxy and reports a mistake in it`(provider: String) {
    let more =
      switch provider {
      case "google": #""client": "c.json""#
      case "google-service-account": #""key": "k.json""#
      case "microsoft": #""tenant": "t", "client_id": "c""#
      default:
        #""client_id": "c", "token_endpoint": "https://x.test/t", "authorization_endpoint": "https://x.test/a", "scopes": ["s"]"#
      }
    func read(_ proxy: String) throws {
      let text = """
        {"transport": "t", "transports": {"t": {"plugin": "smtp"}}, "from": "a@example.com",
         "accounts": {"a": {"provider": "\(provider)", "user": "a@example.com", \(more), "proxy": \(proxy)}}}
        """
      _ = try Configuration.read(
        Array(text.utf8), file: "config.json", directory: "/", providers: oauthProviders())
    }
    #expect(throws: Never.self) { try read(#""http://proxy:3128""#) }
    #expect(throws: Never.self) { try read(#"{"env": "PROXY"}"#) }
    let problem = #expect(throws: Diagnostics.self) { try read(#""http://me:s3cret@proxy""#) }
    #expect(problem?.all.map(\.path) == ["accounts.a.proxy"])
    #expect(problem?.description.contains("s3cret") == false)
  }
}
