import Foundation
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalAccounts

/// A login with somebody at the browser.
struct TestLogin {
  let result: Result<LoginResult, Diagnostic>
  /// Whose fault it is that it failed.
  let errorKind: AccountError.Kind?
  /// What the browser got.
  let pages: [String]
  /// The scopes that were named, and what was ignored.
  let events: [String]
  /// The address that was to be opened.
  let url: String

  /// Logs in while `browser`, on a thread of its own, does what it likes with the address and the port.
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
    // The account's folder lives as long.
    withExtendedLifetime(test) {}
    self.pages = pages.withLock { $0 }
    self.events = events
    url = address
  }

  /// What the browser got first.
  var page: String { pages.first ?? "" }

  /// Why it failed: what, and what to do.
  var failure: String {
    guard case .failure(let diagnostic) = result else { return "it didn't fail" }
    return "\(diagnostic.message); \(diagnostic.remedy ?? "")"
  }

  /// What a browser shows at the end of the redirects.
  static func open(_ url: String, language: String = "en") throws -> String {
    try ChildProcess.run("curl", ["-sS", "-L", "-m", "30", "-H", "Accept-Language: \(language)", url]).output
  }

  /// Where the server sends the browser, without going there.
  static func redirect(_ url: String) throws -> String {
    try ChildProcess.run("curl", ["-sS", "-m", "30", "-o", "/dev/null", "-w", "%{redirect_url}", url]).output
  }
}
