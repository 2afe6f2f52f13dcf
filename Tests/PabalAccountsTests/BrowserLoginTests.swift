import Foundation
import PabalTesting
import Testing

@testable import PabalAccounts

/// A login in a real browser: Debian's Chromium with the fake server's consent page.
@Suite(
  .enabled(
    if: (try? ChildProcess.run("chromium", ["--version"]).status) == 0, "Debian's chromium must be installed")
)
struct BrowserLoginTests {
  @Test(arguments: [("ko-KR", "로그인되었습니다", "lang=\"ko\""), ("en-GB", "You are logged in", "lang=\"en\"")])
  func `a browser login ends on a page in the user's language`(
    language: String, title: String, attribute: String
  ) throws {
    let server = try AuthorizationServer(["consent": "page"])
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(
      #""provider": "google", "client": "credentials.json""#, in: folder, dependencies: .system)
    let login = TestLogin(test) { url, _ in
      let run = try ChildProcess.run(
        "chromium",
        [
          "--headless", "--no-sandbox", "--disable-gpu", "--accept-lang=\(language)",
          "--user-data-dir=\(folder.path)/profile", "--virtual-time-budget=8000", "--dump-dom", url,
        ])
      return [run.output]
    }
    #expect(throws: Never.self) { try login.result.get() }
    #expect(login.page.contains(title))
    #expect(login.page.contains(attribute))
    #expect(try server.requests("/consent").count == 1)
    #expect(test.account.status().state == .fresh)
  }
}
