import Foundation
import PabalCore
import PabalFormats
import PabalTesting
import Testing

@testable import PabalAccounts

/// A machine whose clock is wrong by years, for example without a battery.
@Suite struct ClockSkewTests {
  @Test(arguments: [-1_795_000_000, -86_400 * 400, 86_400 * 400, 4_000_000_000])
  func `a clock that is wrong by years causes at most one rejected token`(seconds: Int) throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let stored = try StoredToken(SecretDocument.read("\(test.folder.path)/tokens/a.json", as: "token file"))
    test.time.advance(.seconds(seconds))
    // With a clock in the past the stored token seems valid. The server rejects it, and one renewal fixes that.
    var token = try test.account.accessToken(rejected: nil)
    if token.text == stored.accessToken { token = try test.account.accessToken(rejected: token.text) }
    #expect(token.text != stored.accessToken)
    #expect(try #require(token.expiresIn) == .seconds(3599))
    #expect(try test.account.accessToken(rejected: nil).text == token.text)
    #expect(try server.requests("/token").count == 2)
    #expect((.seconds(60)...(.seconds(3600))).contains(test.account.refreshIfDue()))
    #expect(test.account.status().state == .fresh)

    // After the clock is corrected, the wrong date in the file doesn't disturb other readers.
    test.time.advance(.seconds(-seconds))
    let other = try TestAccount.open(
      #""provider": "google", "client": "credentials.json""#, in: test.folder,
      dependencies: test.time.dependencies)
    #expect(throws: Never.self) { try other.accessToken(rejected: nil) }
    let read = try GooglePython.python([
      "-c",
      "import sys; from google.oauth2.credentials import Credentials as C; "
        + "print(C.from_authorized_user_file(sys.argv[1]).refresh_token)",
      "\(test.folder.path)/tokens/a.json",
    ])
    #expect(read == "\(stored.refreshToken ?? "")\n")
  }

  @Test func `an error says how wrong the clock is`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(86_400))
    try server.control([
      "dead": ["error": "invalid_grant", "description": "Token has been expired or revoked."]
    ])
    let said = try test.problem().held
    // The server's clock runs while the test's clock stands still.
    #expect(said.contains(/this machine's clock is 14[1-4][0-9] min ahead of the server's/))
    #expect(said.contains("timedatectl set-ntp true"))
  }
}

@Suite struct IdentityTests {
  private func token(_ claims: String) -> String { "e30.\(base64URL(Array(claims.utf8))).c2ln" }

  @Test func `the mailbox of an identity token is read if it is verified`() {
    #expect(IdentityToken(token(#"{"email": "a@b.c", "email_verified": true}"#))?.email == "a@b.c")
    #expect(IdentityToken(token(#"{"email": "가@b.c"}"#))?.email == "가@b.c")
    #expect(IdentityToken(token(#"{"email": "a@b.c", "email_verified": false}"#))?.email == nil)
    #expect(IdentityToken(token(#"{"sub": "1"}"#))?.email == nil)
    #expect(IdentityToken(token("{\"email\": \"a\\u001b[2J@b.c\"}"))?.email == "a\\u{1b}[2J@b.c")
    for wrong in ["", "..", "a.b", "a.!!.c", "a.\(base64URL([0xFF])).c", "a.b.c.d"] {
      #expect(IdentityToken(wrong) == nil)
    }
  }

  @Test func `Base64 round-trips at every length`() {
    for length in 0..<70 {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 251) }
      #expect(base64URLBytes(base64URL(bytes)) == bytes)
      let padded = Data(bytes).base64EncodedString()
      #expect(base64URLBytes(padded) == bytes)
    }
  }

  @Test func `different spellings of a Gmail address are the same mailbox`() {
    #expect(isSameMailbox("Jane.Doe@gmail.com", "janedoe@googlemail.com"))
    #expect(isSameMailbox("A@Example.COM", "a@example.com"))
    #expect(!isSameMailbox("jane.doe@example.com", "janedoe@example.com"))
    #expect(!isSameMailbox("a@gmail.com", "b@gmail.com"))
    #expect(!isSameMailbox("a@gmail.com", "a@example.com"))
  }

  @Test func `a login with identity scopes rejects another mailbox`() throws {
    let server = try AuthorizationServer(["user": "bob@example.com"])
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(
      #""provider": "google", "client": "credentials.json", "scopes": ["openid", "email", "https://mail.google.com/"]"#,
      in: folder)
    let login = TestLogin(test) { url, _ in [try TestLogin.open(url, language: "ko")] }
    #expect(login.failure.contains("bob@example.com logged in, but \"user\" is user@example.com"))
    #expect(login.failure.contains("set \"user\" to bob@example.com"))
    #expect(login.page.contains("로그인하지 못했습니다"))
    #expect(login.page.contains("브라우저에서 bob@example.com 계정으로 로그인했는데"))
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/tokens/a.json"))
    try server.control(json: #"{"user": null}"#)
    let right = try TestLogin(test).result.get()
    #expect(right.isUserConfirmed)
    // Requested by the short name and granted by the long one, so no scope is missing.
    #expect(test.account.status().missingScopes == [])
    #expect(test.account.status().notes == [])
    test.time.advance(.seconds(3600))
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
  }
}
