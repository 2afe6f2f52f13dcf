import Foundation
import PabalCore
import PabalFormats
import PabalRESTTesting
import PabalTesting
import Testing

/// Gmail behind a company's proxy, which is the only way to it.
@Suite struct GmailProxyTests {
  private func send(
    endpoint: String, _ port: RESTTestPort, proxy: String?
  ) throws -> Receipt {
    var settings = port.settings
    settings["endpoint"] = endpoint
    settings["proxy"] = proxy
    let transport = try TestPlugin.open(
      BuiltProducts.plugin("gmail"), settings.mapValues { JSONValue.Content.string($0) },
      accounts: ["google": RESTTestTokens()])
    defer { transport.close() }
    return transport.attempt(
      try Mail.sample(to: ["bob@example.org"], bytes: Array("To: bob@example.org\r\n\r\nx\r\n".utf8)))
  }

  @Test func `mail is sent through the proxy, which sees neither the token nor the mail`() throws {
    let port = try gmail()
    let proxy = try ConnectProxy(to: port.port, login: "me:s3cret")
    let receipt = try send(
      endpoint: "https://server.pabal.test", port, proxy: "http://me:s3cret@127.0.0.1:\(proxy.port)")
    #expect(receipt.outcome == .sent, "\(receipt)")
    #expect(try port.report().taken.count == 1)
    #expect(try Set(proxy.requests().map(\.request)) == ["CONNECT server.pabal.test:443 HTTP/1.1"])
    #expect(try proxy.requests().allSatisfy { $0.fields["authorization"] == nil })
  }

  @Test func `this machine is reached directly`() throws {
    let port = try gmail()
    #expect(try send(endpoint: port.endpoint, port, proxy: "http://127.0.0.1:1").outcome == .sent)
  }

  @Test func `a proxy that refuses the login holds the transport, and one that is down defers the mail`()
    throws
  {
    let port = try gmail()
    let proxy = try ConnectProxy(to: port.port, login: "me:right")
    let refused = try send(
      endpoint: "https://server.pabal.test", port, proxy: "http://me:s3cret@127.0.0.1:\(proxy.port)")
    #expect(refused.outcome.name == "held")
    #expect(refused.reply?.contains("status 407") == true)
    #expect(refused.reply?.contains("s3cret") == false)
    let down = try send(endpoint: "https://server.pabal.test", port, proxy: "http://127.0.0.1:1")
    #expect(down.outcome.name == "deferred")
    #expect(down.reply?.contains("the proxy http://127.0.0.1:1 doesn't accept connections") == true)
  }

  @Test func `an invalid proxy is an error of the setting that doesn't show it`() throws {
    let port = try gmail()
    let error = #expect(throws: (any Error).self) {
      try send(endpoint: "https://server.pabal.test", port, proxy: "socks5://me:s3cret@proxy:1080")
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains("\"proxy\" is not an HTTP proxy"))
    #expect(!"\(error.map { "\($0)" } ?? "")".contains("s3cret"))
  }

  @Test func `without a proxy, an error mentions the setting where a proxy variable is set`() async throws {
    await #expect(processExitsWith: .success) {
      let port = try gmail()
      setenv("HTTPS_PROXY", "http://me:s3cret@127.0.0.1:1", 1)
      let receipt = try GmailProxyTests().send(endpoint: "https://server.pabal.test", port, proxy: nil)
      #expect(receipt.outcome.name == "deferred")
      #expect(receipt.reply?.contains("HTTPS_PROXY is set, but Pabal uses only the proxy") == true)
      #expect(receipt.reply?.contains("s3cret") == false)
    }
  }
}
