import Foundation
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

@Suite struct TokenRefreshTests {
  @Test func `a token that Google's library stored is given as it is until its margin`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let stored = try #require(
      try JSONSerialization.jsonObject(with: Data(test.file().utf8)) as? [String: Any])
    let token = try test.account.accessToken(rejected: nil)
    #expect(token.text == stored["token"] as? String)
    #expect(try server.requests("/token").count == 1)

    test.time.advance(.seconds(3599 - 226))
    _ = try test.account.accessToken(rejected: nil)
    #expect(try server.requests("/token").count == 1)
    test.time.advance(.seconds(2))
    #expect(try test.account.accessToken(rejected: nil).text != token.text)
    let forms = try server.requests("/token")
    #expect(forms.map { $0["grant_type"] } == ["authorization_code", "refresh_token"])
    #expect(forms[1]["client_secret"] == AuthorizationServer.clientSecret)
    #expect(try test.mode("tokens/a.json") == 0o600)
  }

  @Test func `Google's library reads the renewed file and renews from it`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(3600))
    let token = try test.account.accessToken(rejected: nil)
    let script = """
      import sys
      from google.oauth2.credentials import Credentials
      credentials = Credentials.from_authorized_user_file(sys.argv[1])
      print(credentials.token, credentials.expiry.isoformat(), credentials.valid, credentials.scopes)
      """
    let read = try GooglePython.python(["-c", script, "\(test.folder.path)/tokens/a.json"])
    let expiry = try #require(token.expiresIn).components.seconds
    let end = (test.time.now + .seconds(expiry)).description.dropLast()
    #expect(read == "\(token.text) \(end) True ['https://mail.google.com/']\n")
  }

  @Test func `a rejected token is renewed once for all who had it`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let first = try test.account.accessToken(rejected: nil).text
    let second = try test.account.accessToken(rejected: first).text
    #expect(second != first)
    #expect(try test.account.accessToken(rejected: first).text == second)
    #expect(try server.requests("/token").count == 2)
  }
}
