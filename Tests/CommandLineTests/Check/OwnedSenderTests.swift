import PabalTesting
import Testing

/// `check` names the submitters that may use other senders than the one address of a transport.
@Suite struct OwnedSenderTests {
  private func warnings(_ transport: String, _ local: String) throws -> [String] {
    let site = try TestSite(
      """
      {
        "transport": "office", "transports": { "office": \(transport) },
        "accounts": { "me": { "provider": "token", "user": "me@example.com", "token": "secret-token" } },
        "from": "me@example.com",
        "serve": { "submission": { "socket": "submit"\(local) } }
      }
      """)
    let output = try site.pabal("check").output
    #expect(output.contains("submission "), "\(output)")
    return output.split(separator: "\n").map(String.init).filter { $0.contains("may use other senders") }
  }

  private static let gmail = #"{ "plugin": "gmail", "account": "me", "endpoint": "http://127.0.0.1:1" }"#
  private static let graph = #"{ "plugin": "graph", "account": "me", "endpoint": "http://127.0.0.1:1" }"#
  private static let shared =
    #"{ "plugin": "graph", "account": "me", "mailbox": "shop@example.com", "endpoint": "http://127.0.0.1:1" }"#
  private static let file = #"{ "plugin": "file", "directory": "mail" }"#

  @Test func `and is silent where they can't, or where the transport has any sender`() throws {
    func local(_ rules: String) -> String { #", "local": { "default": { \#(rules) } }"# }
    let free = try warnings(Self.gmail, "")
    #expect(free.count == 1)
    #expect(
      free.first?.contains(
        "other users of this machine may use other senders than me@example.com, but the transport 'office'")
        == true,
      "\(free)")
    for (transport, owner) in [
      (Self.gmail, "me@example.com"), (Self.graph, "me@example.com"), (Self.shared, "shop@example.com"),
    ] {
      #expect(try warnings(transport, local(#""forcedSender": "\#(owner)""#)) == [])
      #expect(try warnings(transport, local(#""senders": ["\#(owner.uppercased())"]"#)) == [])
      #expect(try warnings(transport, local(#""senders": ["\#(owner)", "example.com"]"#)).count == 1)
    }
    #expect(try warnings(Self.shared, local(#""forcedSender": "me@example.com""#)).count == 1)
    #expect(try warnings(Self.file, "") == [])
  }
}
