import PabalTesting
import Testing

/// A fixed access token that the mail server refuses, for which the account has no other.
@Suite struct RefusedTokenTests {
  private struct Script: Encodable {
    let security = "tls"
    let offers = ["AUTH XOAUTH2"]
    let connections: [[String: [String: String]]]
  }

  @Test func `the server's words are shown`() throws {
    let mailServer = try ScriptedServer("hostile.py")
    let token = "ya29.a-fixed-token-0123456789"
    let reply = "535 5.7.3 Authentication unsuccessful for \(token)"
    let port = try mailServer.listen(Script(connections: [["auth": ["reply": reply]]]))
    let authority = mailServer.authority.authority
    let smtp =
      #""smtp": { "plugin": "smtp", "host": "localhost", "port": \#(port), "account": "me", "ca_file": "\#(authority)" }"#
    let account =
      #""accounts": { "me": { "provider": "token", "user": "me@example.org", "token": "\#(token)" } }"#
    let site = try TestSite(
      TestSite.configuration(transport: #""smtp""#, more: "\n\(smtp),")
        .replacing(#""from""#, with: "\(account),\n  \"from\""))
    for arguments in [["check"], ["send", "you@example.org"]] {
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal", arguments, environment: TestSite.cleanEnvironment,
        directory: site.directory.path)
      let output = run.output + run.errors
      #expect(output.contains("535 5.7.3 Authentication unsuccessful"), "\(output)")
      #expect(!output.contains("fixed-token"), "\(output)")
    }
  }
}
