import Foundation
import PabalCore
import PabalFormats
import PabalTesting
import Testing

@testable import PabalAccounts

/// A machine whose clock is far off, as one without a battery has it.
@Suite struct ClockSkewTests {
  @Test(arguments: [-1_795_000_000, -86_400 * 400, 86_400 * 400, 4_000_000_000])
  func `a clock that is years off costs at most one refusal`(seconds: Int) throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let stored = try StoredToken(SecretDocument.read("\(test.folder.path)/tokens/a.json", as: "token file"))
    test.time.advance(.seconds(seconds))
    // Long ago everything still lives; the far side refuses it, and one renewal later all is as it should be.
    var token = try test.account.accessToken(rejected: nil)
    if token.text == stored.accessToken { token = try test.account.accessToken(rejected: token.text) }
    #expect(token.text != stored.accessToken)
    #expect(try #require(token.expiresIn) == .seconds(3599))
    #expect(try test.account.accessToken(rejected: nil).text == token.text)
    #expect(try server.requests("/token").count == 2)
    #expect((.seconds(60)...(.seconds(3600))).contains(test.account.refreshIfDue()))
    #expect(test.account.status().state == .fresh)

    // The clock is set right again: the file's date is of another time, and no reader trips over it.
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

  @Test func `a refusal says how far the clock is off`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    test.time.advance(.seconds(86_400))
    try server.control([
      "dead": ["error": "invalid_grant", "description": "Token has been expired or revoked."]
    ])
    let said = try test.problem().held
    // The server's clock goes on while the test's stands still.
    #expect(said.contains(/this machine's clock is 14[1-4][0-9] min ahead of the server's/))
    #expect(said.contains("timedatectl set-ntp true"))
  }
}

@Suite struct IdentityTests {
  private func token(_ claims: String) -> String { "e30.\(base64URL(Array(claims.utf8))).c2ln" }

  @Test func `the mailbox of an identity token is read, unless it isn't verified`() {
    #expect(IdentityToken(token(#"{"email": "a@b.c", "email_verified": true}"#))?.email == "a@b.c")
    #expect(IdentityToken(token(#"{"email": "가@b.c"}"#))?.email == "가@b.c")
    #expect(IdentityToken(token(#"{"email": "a@b.c", "email_verified": false}"#))?.email == nil)
    #expect(IdentityToken(token(#"{"sub": "1"}"#))?.email == nil)
    #expect(IdentityToken(token("{\"email\": \"a\\u001b[2J@b.c\"}"))?.email == "a\\u{1b}[2J@b.c")
    for wrong in ["", "..", "a.b", "a.!!.c", "a.\(base64URL([0xFF])).c", "a.b.c.d"] {
      #expect(IdentityToken(wrong) == nil)
    }
  }

  @Test func `Base64 is read as it is written, at every length`() {
    for length in 0..<70 {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 251) }
      #expect(base64URLBytes(base64URL(bytes)) == bytes)
      let padded = Data(bytes).base64EncodedString()
      #expect(base64URLBytes(padded) == bytes)
    }
  }

  @Test func `Google's spellings of a mailbox are the same mailbox`() {
    #expect(isSameMailbox("Jane.Doe@gmail.com", "janedoe@googlemail.com"))
    #expect(isSameMailbox("A@Example.COM", "a@example.com"))
    #expect(!isSameMailbox("jane.doe@example.com", "janedoe@example.com"))
    #expect(!isSameMailbox("a@gmail.com", "b@gmail.com"))
    #expect(!isSameMailbox("a@gmail.com", "a@example.com"))
  }

  @Test func `a login whose scopes hold the identity refuses another mailbox by itself`() throws {
    let server = try AuthorizationServer(["user": "bob@example.com"])
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(
      #""provider": "google", "client": "credentials.json", "scopes": ["openid", "email", "https://mail.google.com/"]"#,
      in: folder)
    let login = TestLogin(test) { url, _ in [try TestLogin.open(url, language: "ko")] }
    #expect(login.failure.contains("the browser logged in bob@example.com, and \"user\" is user@example.com"))
    #expect(login.failure.contains("let \"user\" be bob@example.com"))
    #expect(login.page.contains("로그인하지 못했습니다"))
    #expect(login.page.contains("브라우저에서 bob@example.com 계정으로 로그인했는데"))
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/tokens/a.json"))
    try server.control(json: #"{"user": null}"#)
    let right = try TestLogin(test).result.get()
    #expect(right.isUserConfirmed)
    // Asked for by its short name, granted by its long one: nothing is missing.
    #expect(test.account.status().missingScopes == [])
    #expect(test.account.status().notes == [])
    test.time.advance(.seconds(3600))
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
  }
}
