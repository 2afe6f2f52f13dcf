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
}
