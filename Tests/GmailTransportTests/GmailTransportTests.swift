import Foundation
import PabalCore
import PabalPlugin
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GmailTransport
@testable import PabalREST

/// The plugin, loaded by the host, with the fake Gmail.
@Suite struct GmailTransportTests {
  private func open(
    _ port: RESTTestPort, _ settings: [String: String] = [:], tokens: RESTTestTokens = RESTTestTokens()
  ) throws -> LoadedTransport {
    try TestPlugin.open(
      BuiltProducts.plugin("gmail"),
      port.settings.merging(settings) { $1 }.mapValues { .string($0) }, accounts: ["google": tokens])
  }

  @Test func `a Korean mail arrives byte for byte`() throws {
    let draft = MailDraft(
      from: try Mailbox("Pabal <sender@example.com>"), to: [try Mailbox("bob@example.net")],
      subject: "회원가입 인증번호", text: "인증번호는 123456입니다.")
    let mail = try draft.finish(identity: .now())
    let port = try gmail()
    let transport = try open(port)
    defer { transport.close() }
    let receipt = transport.attempt(mail)
    #expect(receipt.outcome == .sent)
    let report = try port.report()
    #expect(report.taken.count == 1)
    #expect(report.taken[0].bytes.map { Array($0) } == mail.bytes)
    #expect(report.taken[0].recipients == ["bob@example.net"])
    #expect(receipt.remoteID == "19a0000000000000")
    #expect(report.strange == [])
    let read = try ChildProcess.run(
      "python3",
      [
        "-c",
        "import sys,email,email.policy; m=email.message_from_bytes(sys.stdin.buffer.read(),policy=email.policy.default); print(m['subject'], m.get_body().get_content().rstrip(), sep='|')",
      ], input: Array(try #require(report.taken[0].delivered)), environment: ["PYTHONIOENCODING": "utf-8"])
    #expect(read.output == "회원가입 인증번호|인증번호는 123456입니다.\n")
  }

  @Test func `check reports the mailbox if the scope allows it`() throws {
    let port = try gmail(
      GmailServerScript(tokens: [RESTTestTokens.first: ["gmail.modify"]], user: "me@example.com"))
    let transport = try open(port)
    defer { transport.close() }
    let report = transport.check()
    #expect(report.problem == nil)
    #expect(report.reply?.contains("sends as me@example.com") == true)
    let sendOnly = try open(try gmail(GmailServerScript(tokens: [RESTTestTokens.first: ["gmail.send"]])))
    defer { sendOnly.close() }
    #expect(sendOnly.check().problem == nil)
    #expect(sendOnly.check().reply?.contains("the token is accepted") == true)
  }

  @Test func `check renews a refused token once and then says what to do`() throws {
    let tokens = RESTTestTokens()
    let transport = try open(
      try gmail(GmailServerScript(tokens: [RESTTestTokens.second: ["gmail.send"]])), tokens: tokens)
    defer { transport.close() }
    #expect(transport.check().problem == nil)
    #expect(tokens.renewals == [RESTTestTokens.first])
    let dead = try open(try gmail(GmailServerScript(tokens: [:])))
    defer { dead.close() }
    #expect(dead.check().problem == .held(.transport))
    #expect(dead.check().reply?.contains("log the account in again") == true)
    let revoked = try open(try gmail(GmailServerScript(tokens: [:])), tokens: RESTTestTokens(canRenew: false))
    defer { revoked.close() }
    #expect(revoked.check().problem == .held(.transport))
    #expect(revoked.check().reply?.contains("refresh token has been revoked") == true)
  }

  @Test(arguments: [
    ("https://127.0.0.1:1", "doesn't accept connections", Outcome.deferred()),
    ("https://no-such-host.invalid", "has no address", .deferred()),
  ])
  func `check says why the API can't be reached`(endpoint: String, message: String, outcome: Outcome)
    throws
  {
    let transport = try open(try gmail(), ["endpoint": endpoint])
    defer { transport.close() }
    #expect(transport.check().problem == outcome)
    #expect(transport.check().reply?.contains(message) == true, "\(transport.check().reply ?? "")")
  }

  @Test func `check distinguishes an untrusted certificate from a server without TLS`() throws {
    let port = try gmail()
    let authority = try TestAuthority.shared.get()
    // Only another authority is trusted.
    let stranger = try open(port, ["ca_file": authority.foreign])
    defer { stranger.close() }
    #expect(stranger.check().problem == .held(.transport))
    #expect(stranger.check().reply?.contains("isn't trusted") == true)
    let plain = try gmail(GmailServerScript(plain: true))
    let secure = try open(plain, ["endpoint": "https://localhost:\(plain.port)"])
    defer { secure.close() }
    #expect(secure.check().reply?.contains("an https server") == true, "\(secure.check().reply ?? "")")
    // libcurl resolves all names below localhost to this machine, but the certificate is only for localhost.
    let named = try open(port, ["endpoint": "https://other.localhost:\(port.port)"])
    defer { named.close() }
    #expect(named.check().problem == .held(.transport))
    #expect(named.check().reply?.contains("for another name") == true, "\(named.check().reply ?? "")")
    #expect(try port.report().begun == 0)
  }

  @Test(arguments: [
    "ftp://x", "gmail.googleapis.com", "http://gmail.googleapis.com", "https://u:p@x", "https://x?y",
    "https://x#y",
    "https://", "https://x:0", "https://x:99999", "https://x:", "https://x y", "https://bücher.example",
    "http://127.0.0.1.example.com", "https://[::1", "http://127.+0.0.1", "http://127.0.0.08", "https://x:+1",
    "http://127.0.0.-0",
  ])
  func `an unsafe or invalid endpoint is refused when the transport opens`(endpoint: String) throws {
    #expect(throws: Diagnostic.self) { try open(try gmail(), ["endpoint": endpoint]) }
  }

  @Test(arguments: ["https://x/", "http://[::1]:8080/a/b//", "HTTPS://X.example:443", "http://localhost"])
  func `an endpoint may have a port and a path`(endpoint: String) throws {
    try open(try gmail(), ["endpoint": endpoint]).close()
  }

  @Test func `the reply says that the envelope's sender isn't used`() throws {
    let port = try gmail()
    let transport = try open(port)
    defer { transport.close() }
    let bytes = Array("From: sender@example.com\r\nTo: bob@example.org\r\n\r\nx\r\n".utf8)
    let own = transport.attempt(try Mail.sample(from: "sender@example.com", bytes: bytes))
    #expect(own.reply == "200 accepted as 19a0000000000000")
    for sender in [.some("bounces@example.com"), nil] as [String?] {
      let other = transport.attempt(try Mail.sample(from: sender, bytes: bytes))
      #expect(other.outcome == .sent)
      #expect(other.reply?.contains("bounces go to the account") == true)
    }
  }
}
