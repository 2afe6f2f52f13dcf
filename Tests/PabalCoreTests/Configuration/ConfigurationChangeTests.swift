import Testing

@testable import PabalCore

/// Which edits change a transport or an account.
@Suite struct ConfigurationChangeTests {
  private func configured(_ transport: String, _ account: String) throws -> Configuration {
    let text = """
      { "transport": "smtp", "transports": { "smtp": { \(transport) } }, "from": "you@example.com",
        "accounts": { "a": { "provider": "token", "user": "you@example.com", \(account) } } }
      """
    return try Configuration.read(Array(text.utf8), file: "config.json", directory: "/etc")
  }

  private let transport = #""plugin": "smtp", "port": 465, "hosts": ["a", { "b": true, "c": null }]"#
  private let account = #""token": { "env": "TOKEN" }"#

  @Test func `lines, spaces and the order of keys don't change a transport or an account`() throws {
    let one = try configured(transport, account)
    let other = try configured(
      #"   "hosts": ["a",  { "c": null, "b": true }], "port": 465,"# + "\n\n" + #""plugin": "smtp""#,
      "\n\n" + account)
    #expect(one.transports[0].isSame(as: other.transports[0]))
    #expect(one.accounts[0].isSame(as: other.accounts[0]))
  }

  @Test(arguments: [
    #""plugin": "other", "port": 465, "hosts": ["a", { "b": true, "c": null }]"#,
    #""plugin": "smtp", "port": 587, "hosts": ["a", { "b": true, "c": null }]"#,
    #""plugin": "smtp", "port": 465, "hosts": ["a", { "b": true, "c": false }]"#,
    #""plugin": "smtp", "port": 465, "hosts": ["a"]"#,
    #""plugin": "smtp", "port": 465, "hosts": { "a": 1 }"#,
    #""plugin": "smtp", "port": 465"#,
  ])
  func `another plugin or setting changes a transport`(_ edited: String) throws {
    let one = try configured(transport, account)
    #expect(try !one.transports[0].isSame(as: configured(edited, account).transports[0]))
  }

  @Test(arguments: [#""token": { "env": "OTHER" }"#, #""token": { "file": "TOKEN" }"#])
  func `another setting changes an account`(_ edited: String) throws {
    let one = try configured(transport, account)
    #expect(try !one.accounts[0].isSame(as: configured(transport, edited).accounts[0]))
  }
}
