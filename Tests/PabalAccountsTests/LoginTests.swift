import Foundation
import Glibc
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

@Suite struct LoginTests {
  private func account(
    _ server: AuthorizationServer, client: String? = nil, plugin: String = "smtp"
  ) throws -> TestAccount {
    let folder = try TemporaryDirectory()
    try TestAccount.write(client ?? server.clientFile(), to: "credentials.json", in: folder)
    var random = AccountDependencies.system
    let time = TestTime()
    random.now = { time.now }
    random.pause = time.dependencies.pause
    return try TestAccount(
      #""provider": "google", "client": "credentials.json""#, in: folder, plugin: plugin, dependencies: random
    )
  }

  @Test func `a login stores tokens that Google's library accepts`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    let login = TestLogin(test) { url, _ in [try TestLogin.open(url, language: "ko-KR,ko;q=0.9,en;q=0.5")] }
    let result = try login.result.get()
    #expect(result.scopes == ["https://mail.google.com/"])
    #expect(login.events == ["https://mail.google.com/"])
    #expect(login.page.contains("로그인되었습니다"))
    #expect(login.page.contains("user@example.com"))
    let requests = try #require(try server.requests("/o/oauth2/auth").first)
    #expect(requests["access_type"] == "offline")
    #expect(requests["prompt"] == "consent")
    #expect(requests["login_hint"] == "user@example.com")
    #expect(requests["code_challenge_method"] == "S256")
    #expect(requests["redirect_uri"]?.hasPrefix("http://127.0.0.1:") == true)
    #expect(try test.mode("tokens") == 0o700)
    #expect(try test.mode("tokens/a.json") == 0o600)
    let script = """
      import sys
      from google.oauth2.credentials import Credentials
      import google.auth.transport.requests
      credentials = Credentials.from_authorized_user_file(sys.argv[1])
      print(credentials.valid, credentials.scopes)
      import google.oauth2._client as client
      request = google.auth.transport.requests.Request()
      print(client.refresh_grant(request, sys.argv[2], credentials.refresh_token, credentials.client_id,
                                 credentials.client_secret)[0] != credentials.token)
      """
    let read = try GooglePython.python([
      "-c", script, "\(test.folder.path)/tokens/a.json", server.url("/token"),
    ])
    #expect(read == "True ['https://mail.google.com/']\nTrue\n")
    #expect(test.account.status().state == .fresh)
  }

  @Test func `with only REST configured, only its scope is requested`() throws {
    let server = try AuthorizationServer()
    let login = TestLogin(try account(server, plugin: "gmail"))
    #expect(try login.result.get().scopes == ["https://www.googleapis.com/auth/gmail.send"])
  }

  @Test func `every login has its own state and code challenge`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    let urls = [TestLogin(test).url, TestLogin(test).url].map {
      URLEncodedForm(query: $0.drop { $0 != "?" }.dropFirst())
    }
    #expect(urls[0]["state"] != urls[1]["state"])
    #expect(urls[0]["code_challenge"] != urls[1]["code_challenge"])
    #expect(urls[0]["code_challenge"]?.utf8.count == 43)
  }

  @Test func `denied consent doesn't change stored tokens`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    _ = try TestLogin(test).result.get()
    let before = try test.file()
    try server.control(["consent": "deny"])
    let login = TestLogin(test) { url, _ in [try TestLogin.open(url)] }
    #expect(login.failure.contains("access was denied on Google's page (access_denied)"))
    #expect(login.page.contains("Access denied"))
    #expect(try test.file() == before)
  }

  @Test func `an unselected checkbox is reported and nothing is stored`() throws {
    let server = try AuthorizationServer(["granted": ["openid"]])
    let test = try account(server)
    let login = TestLogin(test) { url, _ in [try TestLogin.open(url, language: "ko")] }
    #expect(login.failure.contains("the login lacks https://mail.google.com/: its checkbox wasn't selected"))
    #expect(login.page.contains("선택하지 않았습니다"))
    #expect(!FileManager.default.fileExists(atPath: "\(test.folder.path)/tokens/a.json"))
  }

  @Test func `other requests and idle connections don't disturb a login`() throws {
    let server = try AuthorizationServer()
    let login = TestLogin(try account(server)) { url, port in
      let here = "http://127.0.0.1:\(port)"
      let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(silent) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      _ = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(silent, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      func status(_ arguments: [String]) throws -> String {
        try ChildProcess.run(
          "curl", ["-sS", "-m", "30", "-o", "/dev/null", "-w", "%{http_code}"] + arguments
        ).output
      }
      return [
        try status(["\(here)/favicon.ico"]), try status(["\(here)/?state=made-up&code=4/0Astolen"]),
        try status(["\(here)/?code=4/0Astolen"]), try status(["-d", "code=x", here]), try TestLogin.open(url),
      ]
    }
    #expect(throws: Never.self) { try login.result.get() }
    #expect(login.pages.prefix(4) == ["404", "400", "400", "405"])
    #expect(login.events.filter { $0.contains("doesn't belong to this login") }.count == 2)
    #expect(try server.requests("/token").count == 1)
  }

  @Test func `a browser that returns twice gets two answers, and the code is exchanged once`() throws {
    let server = try AuthorizationServer()
    let login = TestLogin(try account(server)) { url, _ in
      let back = try TestLogin.redirect(url)
      let result = try ChildProcess.run(
        "curl", ["-s", "-m", "30", "--parallel", "--parallel-immediate", back, back])
      return [result.output]
    }
    #expect(throws: Never.self) { try login.result.get() }
    #expect(login.page.contains("You are logged in"))
    #expect(try server.requests("/token").count == 1)
  }

  @Test func `the URL of the page that failed to load can be pasted`() throws {
    let server = try AuthorizationServer()
    let pipe = Pipe()
    let writer = pipe.fileHandleForWriting
    let options = LoginOptions(
      opensBrowser: false, input: pipe.fileHandleForReading.fileDescriptor, timeout: .seconds(60))
    let login = TestLogin(try account(server), options: options) { url, port in
      let back = try TestLogin.redirect(url)
      for line in [
        "hello", "http://127.0.0.1:\(port)/?state=1", back.replacing("state=", with: "state=x"), "  \(back) ",
      ] {
        try writer.write(contentsOf: Data("\(line)\n".utf8))
      }
      return []
    }
    #expect(throws: Never.self) { try login.result.get() }
    #expect(login.events.count == 4)
    #expect(login.events.dropFirst(1).first?.contains("not a complete URL") == true)
    #expect(login.events.dropFirst(2).first?.contains("contains no code") == true)
    #expect(login.events.dropFirst(3).first?.contains("another login") == true)
  }

  @Test func `a closed standard input doesn't end the login`() throws {
    let server = try AuthorizationServer()
    let pipe = Pipe()
    try pipe.fileHandleForWriting.close()
    let options = LoginOptions(
      opensBrowser: false, input: pipe.fileHandleForReading.fileDescriptor, timeout: .seconds(60))
    #expect(throws: Never.self) { try TestLogin(try account(server), options: options).result.get() }
  }

  @Test func `a port in use is named`() throws {
    let server = try AuthorizationServer()
    let port = UInt16(server.port)
    let login = TestLogin(try account(server), options: LoginOptions(opensBrowser: false, port: port))
    #expect(
      login.failure == "port \(port) is in use by another program; choose another --port, or leave it out")
  }

  @Test func `a login without a returning browser times out`() throws {
    let server = try AuthorizationServer()
    let login = TestLogin(
      try account(server), options: LoginOptions(opensBrowser: false, timeout: .zero), browser: { _, _ in [] }
    )
    #expect(login.failure.contains("the browser didn't return"))
  }

  @Test func `a network failure at the code exchange is retried three times and shown on the page`() throws {
    let server = try AuthorizationServer(["faults": [["drop": true], ["drop": true], ["drop": true]]])
    let test = try account(server)
    let login = TestLogin(test) { url, _ in [try TestLogin.open(url)] }
    #expect(login.failure.contains("the connection to 127.0.0.1 failed"))
    #expect(login.page.contains("The login failed"))
    #expect(try server.requests("/token").count == 3)
    try server.control(["faults": [["status": 503], ["drop": true]]])
    #expect(throws: Never.self) { try TestLogin(test).result.get() }
  }

  @Test func `an unreachable server is reported`() throws {
    let server = try AuthorizationServer()
    let login = TestLogin(try account(server)) { url, _ in
      let back = try TestLogin.redirect(url)
      server.stop()
      return [try TestLogin.open(back)]
    }
    #expect(login.failure.contains("127.0.0.1 can't be reached"))
    #expect(login.page.contains("127.0.0.1 can&#39;t be reached") || login.page.contains("can't be reached"))
  }

  @Test func `an invalid code is reported`() throws {
    let server = try AuthorizationServer()
    let login = TestLogin(try account(server)) { url, _ in
      let back = try TestLogin.redirect(url)
      return [try TestLogin.open(back.replacing("code=4", with: "code=5"))]
    }
    #expect(login.failure.contains("Google rejected the login code (invalid_grant: Malformed auth code.)"))
  }

  @Test func `an answer without a refresh token is an error`() throws {
    let server = try AuthorizationServer([
      "faults": [
        [
          "status": 200,
          "body": ["access_token": "x", "expires_in": "3599", "scope": "https://mail.google.com/"],
        ]
      ]
    ])
    #expect(TestLogin(try account(server)).failure.contains("issued no refresh token"))
  }

  @Test func `a web client uses a registered redirect URI`() throws {
    let server = try AuthorizationServer()
    let none = try account(server, client: server.clientFile("web", redirects: ["https://example.com/back"]))
    #expect(TestLogin(none).failure.contains("without a redirect URI on this machine"))
    // A port that was free a moment ago.
    let spare = try LoopbackListener(port: nil, alsoIPv6: false, input: nil).port
    let client = server.clientFile(
      "web", redirects: ["https://example.com/", "http://localhost:\(spare)/back"])
    let some = try account(server, client: client)
    #expect(throws: Never.self) { try TestLogin(some).result.get() }
    #expect(try server.requests("/o/oauth2/auth").first?["redirect_uri"] == "http://localhost:\(spare)/back")
    let options = LoginOptions(opensBrowser: false, port: 9)
    #expect(TestLogin(some, options: options).failure.contains("port 9 isn't registered"))
  }

  @Test func `a login that expires after seven days is reported as Testing`() throws {
    let server = try AuthorizationServer(["refresh_token_expires_in": 604_799])
    let test = try account(server)
    let login = TestLogin(test) { url, _ in [try TestLogin.open(url, language: "ko")] }
    let end = try #require(try login.result.get().refreshTokenExpiry)
    #expect(login.page.contains("‘테스트’"))
    let status = test.account.status()
    #expect(status.state == .expiring)
    #expect(status.refreshTokenExpiry?.description == end.description)
    #expect(status.cause?.contains("Testing") == true)
    #expect(status.guide == .publish)
  }

  @Test func `logout revokes the login and removes its file`() throws {
    let server = try AuthorizationServer()
    let test = try account(server)
    _ = try TestLogin(test).result.get()
    #expect(try test.account.logOut() == .revoked)
    #expect(try server.requests("/revoke").count == 1)
    #expect(!FileManager.default.fileExists(atPath: "\(test.folder.path)/tokens/a.json"))
    #expect(try test.problem().held.contains("not logged in yet"))
  }

  @Test func `logout keeps the file if the server is unreachable, and removes that of an expired login`()
    throws
  {
    let server = try AuthorizationServer()
    let test = try account(server)
    _ = try TestLogin(test).result.get()
    let gone = try AuthorizationServer()
    try TestAccount.write(gone.clientFile(), to: "credentials.json", in: test.folder)
    gone.stop()
    #expect(throws: AccountError.self) { try test.account.logOut() }
    let stored = try test.file()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: test.folder)
    #expect(try test.account.logOut() == .revoked)
    try TestAccount.write(stored, to: "tokens/a.json", in: test.folder)
    #expect(try test.account.logOut() == .alreadyExpired)
  }
}
