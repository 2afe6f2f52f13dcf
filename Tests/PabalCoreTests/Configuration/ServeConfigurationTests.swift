import Testing

@testable import PabalCore

/// How an edit of `serve` changes a running service.
@Suite struct ServeConfigurationTests {
  private func serve(_ text: String) throws -> ServeConfiguration {
    let configuration = """
      { "transport": "c", "transports": { "c": { "plugin": "console" } }, "from": "a@example.com",
        "serve": \(text) }
      """
    return try Configuration.read(Array(configuration.utf8), file: "config.json", directory: "/").serve
  }

  @Test func `an edit can't allow calls without a key to a service that other machines can reach`() throws {
    let edited = try serve(#"{ "listen": "127.0.0.1:8025", "keyless": true }"#)
    let (here, everywhere) = (ListenAddress("127.0.0.1:1"), ListenAddress("0.0.0.0:1"))
    #expect(edited.listening(on: here).isKeyless)
    #expect(!edited.listening(on: everywhere).isKeyless)
    #expect(edited.listening(on: everywhere).listen == everywhere)
  }

  @Test(arguments: ["0.0.0.0:8025", "[::]:8025", "192.0.2.1:443"])
  func `keys over connections that others can read are a warning`(address: String) throws {
    let clients = #""clients": { "shop": "sha256:\#(String(repeating: "a", count: 64))" }"#
    let warnings = try serve(#"{ "listen": "\#(address)", \#(clients) }"#).warnings
    #expect(warnings.map(\.path) == ["serve.listen"])
    #expect(warnings.first?.severity == .warning)
    #expect(warnings.first?.message.contains("aren't encrypted") == true)
    #expect(try serve(#"{ "listen": "127.0.0.1:8025", \#(clients) }"#).warnings.isEmpty)
    // A named proxy is what ends TLS.
    #expect(try serve(#"{ "listen": "\#(address)", "proxies": ["10.0.0.1"], \#(clients) }"#).warnings.isEmpty)
  }

  @Test func `a port alone is an error that shows the whole address`() {
    let error = #expect(throws: Diagnostics.self) { try serve(#"{ "listen": 8025 }"#) }
    #expect(error?.all.first?.message == "expected an address in a string, not a number")
    #expect(error?.all.first?.remedy?.contains(#""127.0.0.1:8025""#) == true)
  }

  @Test func `an alert is a list, or an object that also names variables for it`() throws {
    #expect(try serve(#"{ "alert": ["notify-send", "$HOME ${x}"] }"#).alert != nil)
    #expect(
      try serve(#"{ "alert": { "command": ["curl"], "environment": ["WEBHOOK"] } }"#).alert != nil)
    for alert in [
      #"{ "environment": ["A"] }"#, #"{ "command": [] }"#, #"{ "command": ["a"], "environment": ["A=b"] }"#,
    ] {
      #expect(throws: Diagnostics.self) { try serve(#"{ "alert": \#(alert) }"#) }
    }
  }
}
