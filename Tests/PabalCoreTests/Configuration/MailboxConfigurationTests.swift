import Testing

@testable import PabalCore

/// `mailboxes` of the configuration.
@Suite struct MailboxConfigurationTests {
  private func read(_ mailboxes: String) throws(Diagnostics) -> [MailboxConfiguration] {
    try Configuration.read(Array(text(mailboxes).utf8), file: "config.json", directory: "/etc/pabal")
      .mailboxes
  }

  private func text(_ mailboxes: String) -> String {
    """
    {"transport": "a", "transports": {"a": {"plugin": "a"}}, "from": "a@example.com",
    "accounts": {"t": {"provider": "token", "user": "a@example.com", "token": {"env": "T"}}},
    "mailboxes": {\(mailboxes)}}
    """
  }

  private func errors(_ mailbox: String) -> [String] {
    do throws(Diagnostics) {
      _ = try read("\"m\": {\(mailbox)}")
      return []
    } catch {
      return error.all.map { "\($0.path ?? ""): \($0.message); \($0.remedy ?? "")" }
    }
  }

  @Test func `a mailbox has an account or a password, and defaults for the rest`() throws {
    let mailboxes = try read(
      """
      "one": {"host": "imap.example.com", "account": "t"},
      "two": {"host": "2001:db8::1", "port": 1993, "user": "u", "password": {"env": "P"}, "folder": "받은",
        "every": "1m", "ca_file": "ca.pem"}
      """)
    #expect(mailboxes.map(\.name) == ["one", "two"])
    #expect(mailboxes.map(\.port) == [993, 1_993])
    #expect(mailboxes.map(\.folder) == ["INBOX", "받은"])
    #expect(mailboxes.map(\.interval) == [.seconds(300), .seconds(60)])
    #expect(mailboxes.map(\.authorities) == [nil, "/etc/pabal/ca.pem"])
    #expect(mailboxes.map(\.account) == ["t", nil])
    #expect(mailboxes.map(\.host) == ["imap.example.com", "2001:db8::1"])
  }

  @Test(arguments: [
    (#""host": "h""#, "missing key 'account'"), (#""account": "t""#, "missing key 'host'"),
    (#""host": "h", "account": "x""#, "unknown account"),
    (#""host": "h", "user": "u""#, "missing key 'password'"),
    (#""host": "h", "password": {"env": "P"}"#, "missing key 'user'"),
    (#""host": "h", "account": "t", "user": "u""#, "an account or a password"),
    (#""host": "h/x", "account": "t""#, "is not a host"),
    (#""host": "h", "account": "t", "port": 0"#, "1 to 65535"),
    (#""host": "h", "account": "t", "folder": "a\nb""#, "control character"),
    (#""host": "h", "account": "t", "every": "1ms""#, "every"),
    (#""host": "h", "account": "t", "tls": 1"#, "unknown key"),
  ])
  func `a mistake is one error that names it`(_ mailbox: String, _ message: String) {
    let errors = errors(mailbox)
    #expect(errors.count == 1)
    #expect(errors.first?.contains(message) == true, "\(errors)")
  }
}
