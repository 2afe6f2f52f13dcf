import PabalPlugin
import Testing

@testable import SMTPTransport

/// Line ends, NUL and control characters in any field never reach the server.
@Suite struct SMTPInjectionTests {
  static let invalidAddresses = [
    "a@b.example>\r\nRCPT TO:<victim@example.net", "a@b.example\rX", "a@b.example\nRSET", "a\0@b.example",
    "a@b.example> SIZE=1", "a b@example.net", "<a@b.example", "a@b.example>", "\"a@b.example",
    "a@b.example\u{7F}",
    "a@b.example\u{1}", "", String(repeating: "a", count: 300) + "@example.net", "\"a\r\nb\"@example.net",
  ]

  @Test(arguments: invalidAddresses) func `an address that could inject a command is refused`(
    _ invalidAddresses: String
  )
    throws
  {
    let port = try hostile()
    let client = port.client()
    #expect(
      SMTPTestMail.small.to("good@example.net", invalidAddresses).outcomes(client) == [.rejected, .rejected])
    if !invalidAddresses.isEmpty {
      #expect(SMTPTestMail.small.with { $0.sender = invalidAddresses }.outcomes(client) == [.rejected])
    }
    #expect(try port.report().connections == 0)
  }

  @Test func `a valid address is sent unchanged`() throws {
    let port = try hostile()
    let fine = ["\"a b>c\\\"d\"@example.net", "o'brien+tag@example.net", "a@[192.0.2.1]", "postmaster"]
    for address in fine {
      #expect(SMTPTestMail.small.to(address).outcomes(port.client()) == [.sent], "\(address)")
    }
    #expect(SMTPTestMail.small.with { $0.sender = "" }.outcomes(port.client()) == [.sent])
    #expect(try port.report().taken.last?.sender == "")
    #expect(try port.report().strange.isEmpty)
  }

  @Test func `an invalid token holds the transport and isn't sent`() throws {
    let port = try hostile()
    for token in ["ya29.a\r\nMAIL", "ya29.a\u{1}b", "ya29 b", "ya29.한", "", "a\0b"] {
      let recipientResults = SMTPTestMail.small.recipientResults(port.client()) { _ in
        Token(text: token, expiresIn: nil)
      }
      #expect(recipientResults?.map(\.outcome) == [.held(.transport)])
    }
    #expect(try port.report().connections == 0)
  }

  @Test(arguments: [
    "a b", "a\r\nb", "a/b", "a?b", "a#b", "a%0d%0ab", "", "[]", "a\0b", "한국",
    String(repeating: "a", count: 256),
  ]) func `an invalid EHLO name is refused when the transport opens`(_ name: String) {
    #expect(!SMTPSyntax.isEHLOName(name))
    // A C string ends at its NUL.
    if !name.utf8.contains(0) {
      #expect(PluginHost.open(["host": "localhost", "ehlo": name]).hasPrefix("\"ehlo\""))
    }
  }

  @Test func `settings that contradict each other are refused with a reason`() {
    #expect(PluginHost.open(["host": "localhost"]) == "")
    #expect(PluginHost.open(["host": "a b"]).contains("\"host\""))
    #expect(PluginHost.open(["host": "evil/x@y"]).contains("\"host\""))
    #expect(PluginHost.open(["host": "mail.example", "security": "none"]).contains("unencrypted"))
    for host in ["localhost", "127.0.0.1", "127.1.2.3", "::1"] {
      #expect(PluginHost.open(["host": host, "security": "none"]) == "")
    }
    for host in ["127.0.0.1.example.com", "localhost.example", "127.0.0", "0.0.0.0"] {
      #expect(PluginHost.open(["host": host, "security": "none"]).contains("unencrypted"), "\(host)")
    }
    #expect(PluginHost.open(["host": "h", "user": "u"]).contains("set both or neither"))
    #expect(PluginHost.open(["host": "h", "user": "u\u{1}x", "password": "p"]).contains("\"user\""))
    #expect(PluginHost.open(["host": "h", "user": "u", "password": "p\r\nQUIT"]).contains("\"password\""))
    #expect(PluginHost.open(["host": "h", "user": "u", "password": ""]).contains("\"password\""))
    #expect(PluginHost.open(["host": "h", "account": "a", "password": "p"]).contains("remove"))
    #expect(PluginHost.open(["host": "h", "account": "a", "mechanism": "plain"]).contains("oauthbearer"))
    #expect(
      PluginHost.open(["host": "h", "user": "u", "password": "p", "mechanism": "xoauth2"]).contains("plain"))
    #expect(PluginHost.open(["host": "h", "mechanism": "plain"]).contains("without a login"))
    #expect(PluginHost.open(["host": "h", "account": "a"], user: "a\r\nb").contains("mailbox"))
    #expect(PluginHost.open(["host": "h", "account": "a"], user: "").contains("mailbox"))
  }
}
