import Foundation
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalAccounts

/// A login with a simulated browser.
struct TestLogin {
  let result: Result<LoginResult, Diagnostic>
  /// The kind of failure.
  let errorKind: AccountError.Kind?
  /// The pages that the browser received.
  let pages: [String]
  /// The requested scopes and other events.
  let events: [String]
  /// The URL that the login asked to open.
  let url: String

  /// Logs in while `browser` runs on its own thread with the URL and the port.
  init(
    _ test: TestAccount, options: LoginOptions = LoginOptions(opensBrowser: false, timeout: .seconds(60)),
    browser: @escaping @Sendable (_ url: String, _ port: UInt16) throws -> [String] = { url, _ in
      [try Self.open(url)]
    }
  ) {
    let pages = Mutex<[String]>([])
    let end = DispatchSemaphore(value: 0)
    var events: [String] = []
    var address = ""
    do throws(AccountError) {
      result = .success(
        try test.account.logIn(options) { event in
          switch event {
          case .scope(let scope, _): events.append(scope)
          case .ignoredInput(let message), .waiting(let message): events.append(message)
          case .enterCode(let code, let place, _): events.append("\(code) \(place)")
          case .openURL(let url, let port):
            address = url
            Thread.detachNewThread {
              let got = (try? browser(url, port)) ?? ["the browser failed"]
              pages.withLock { $0 = got }
              end.signal()
            }
          case .openedBrowser: break
          }
        })
      errorKind = nil
    } catch {
      result = .failure(error.diagnostic)
      errorKind = error.kind
    }
    if !address.isEmpty { end.wait() }
    // Keeps the account's folder until the login has ended.
    withExtendedLifetime(test) {}
    self.pages = pages.withLock { $0 }
    self.events = events
    url = address
  }

  /// The first page that the browser received.
  var page: String { pages.first ?? "" }

  /// The message and remedy of the failure.
  var failure: String {
    guard case .failure(let diagnostic) = result else { return "it didn't fail" }
    return "\(diagnostic.message); \(diagnostic.remedy ?? "")"
  }

  /// Returns the page that a browser shows after all redirects.
  static func open(_ url: String, language: String = "en") throws -> String {
    try ChildProcess.run("curl", ["-sS", "-L", "-m", "30", "-H", "Accept-Language: \(language)", url]).output
  }

  /// Returns the redirect of the server without following it.
  static func redirect(_ url: String) throws -> String {
    try ChildProcess.run("curl", ["-sS", "-m", "30", "-o", "/dev/null", "-w", "%{redirect_url}", url]).output
  }
}
