import Foundation
import PabalCore
import PabalFormats
import PabalPlugin
import PabalRESTTesting
import PabalTesting
import Testing

@testable import GraphTransport
@testable import PabalREST

/// The plugin, loaded by the host, with the fake Graph.
@Suite struct GraphTransportTests {
  private func open(
    _ port: RESTTestPort, _ settings: [String: String] = [:], tokens: RESTTestTokens = RESTTestTokens()
  ) throws -> LoadedTransport {
    try TestPlugin.open(
      BuiltProducts.plugin("graph"),
      port.settings.merging(settings) { $1 }.mapValues { .string($0) }, accounts: ["office": tokens])
  }

  @Test func `a Korean mail arrives byte for byte`() throws {
    let draft = MailDraft(
      from: try Mailbox("Pabal <sender@example.com>"), to: [try Mailbox("bob@example.net")],
      subject: "회원가입 인증번호", text: "인증번호는 123456입니다.")
    let mail = try draft.finish(identity: .now())
    let port = try graph()
    let transport = try open(port)
    defer { transport.close() }
    let receipt = transport.attempt(mail)
    #expect(receipt.outcome == .sent)
    let report = try port.report()
    #expect(report.taken.count == 1)
    #expect(report.taken[0].bytes.map { Array($0) } == mail.bytes)
    #expect(report.taken[0].recipients == ["bob@example.net"])
    #expect(report.strange == [])
    let read = try ChildProcess.run(
      "python3",
      [
        "-c",
        "import sys,email,email.policy; m=email.message_from_bytes(sys.stdin.buffer.read(),policy=email.policy.default); print(m['subject'], m.get_body().get_content().rstrip(), sep='|')",
      ], input: Array(try #require(report.taken[0].delivered)), environment: ["PYTHONIOENCODING": "utf-8"])
    #expect(read.output == "회원가입 인증번호|인증번호는 123456입니다.\n")
  }

  @Test func `the request id is kept as the mail's remote id`() throws {
    let accepted = RESTServerAction.raw(
      "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nrequest-id: 8a5fcb00-3f51\r\n\r\n")
    let transport = try open(try graph(accepted))
    defer { transport.close() }
    let receipt = transport.attempt(
      try Mail.sample(
        from: "sender@example.com",
        bytes: Array("From: sender@example.com\r\nTo: bob@example.org\r\n\r\nx\r\n".utf8)))
    #expect(receipt.remoteID == "8a5fcb00-3f51")
    #expect(receipt.reply == "202 accepted, request 8a5fcb00-3f51")
  }

  @Test(arguments: 0...5)
  func `recipients that no header names are added as Bcc, whatever the length of the added field`(extra: Int)
    throws
  {
    let hidden = "c\(String(repeating: "x", count: extra))@example.org"
    let mail = RESTTestMail("To: bob@example.net", body: "안녕\r\n", to: "bob@example.net", hidden)
    let port = try graph()
    #expect(mail.sendResult(try port.client())?.verdict == .sent)
    let taken = try port.report().taken
    #expect(taken[0].recipients == ["bob@example.net", hidden])
    #expect(taken[0].delivered.map { Array($0) } == mail.bytes)
  }

  @Test func `a header that names others is unsuited, and nothing leaves`() throws {
    let port = try graph()
    let mail = RESTTestMail("To: bob@example.net, eve@example.org")
    let result = mail.sendResult(try port.client())
    #expect(result?.verdict == .unsuited)
    #expect(result?.message.contains("eve@example.org") == true)
    #expect(try port.report().connections == 0)
  }

  @Test func `a mail above the limit of a MIME send is unsuited, and nothing leaves`() throws {
    let port = try graph()
    let client = try port.client()
    #expect(RESTTestMail.large(2_250_000).sendResult(client)?.verdict == .sent)
    #expect(try port.report().taken.map(\.size) == [2_250_000])
    let large = RESTTestMail.large(2_250_001).sendResult(client)
    #expect(large?.verdict == .unsuited)
    #expect(large?.message == "the mail has 2250001 bytes, Microsoft Graph accepts 2250000")
    var many = RESTTestMail("To: all:;")
    many.recipients = (0..<501).map { "a\($0)@example.net" }
    #expect(many.sendResult(client)?.verdict == .unsuited)
    #expect(try port.report().whole == 1)
  }

  @Test func `a shared mailbox sends with Send As and with consent only`() throws {
    let shared = "team+korea@example.com"
    func script(_ scopes: [String], app: Bool = false) -> GraphServerScript {
      GraphServerScript(
        tokens: [RESTTestTokens.first: .init(scopes: scopes, app: app)],
        mailboxes: [shared: ["sender@example.com"]])
    }
    var mail = RESTTestMail("From: \(shared)\r\nTo: bob@example.net")
    mail.sender = shared
    let port = try graph(script(["Mail.Send.Shared"]))
    #expect(mail.sendResult(try port.client(mailbox: shared))?.verdict == .sent)
    let unconsented = mail.sendResult(try graph(script(["Mail.Send"])).client(mailbox: shared))
    #expect(unconsented?.verdict == .held(.transport))
    #expect(unconsented?.message.contains("Mail.Send.Shared") == true)
    let missing = mail.sendResult(
      try graph(script(["Mail.Send.Shared"])).client(mailbox: "missing@example.com"))
    #expect(missing?.verdict == .held(.transport))
    #expect(missing?.message.contains("the mailbox wasn't found") == true)
    var denied = script(["Mail.Send.Shared"])
    denied.mailboxes = [shared: []]
    let refused = mail.sendResult(try graph(denied).client(mailbox: shared))
    #expect(refused?.verdict == .held(.mail))
    #expect(refused?.message.contains("grant Send As") == true)
  }

  @Test func `an app needs a mailbox`() throws {
    let app = GraphServerScript(tokens: [RESTTestTokens.first: .init(app: true)])
    let result = RESTTestMail.small.sendResult(try graph(app).client())
    #expect(result?.verdict == .held(.transport))
    #expect(result?.message.contains("set \"mailbox\"") == true)
    let set = RESTTestMail.small.sendResult(try graph(app).client(mailbox: "sender@example.com"))
    #expect(set?.verdict == .sent)
  }

  @Test func `check finds missing consent, mailbox and license without sending`() throws {
    let port = try graph()
    let ready = try port.client().check { _ in RESTTestTokens.first }
    #expect(ready?.verdict == .ready)
    #expect(ready?.message.hasSuffix("may send as sender@example.com") == true, "\(ready?.message ?? "")")
    #expect(try port.report().taken.isEmpty)
    let cases: [(RESTServerAction, Verdict, String)] = [
      (.graphError(403, "ErrorAccessDenied"), .held(.transport), "consent to Mail.Send"),
      (.graphError(404, "MailboxNotEnabledForRESTAPI"), .held(.transport), "license"),
      (.graphError(403, "insufficient_claims"), .held(.transport), "Conditional Access"),
      (.status(202), .held(.transport), "endpoint"),
      (.status(200, "{}"), .held(.transport), "endpoint"),
      (
        .graphError(429, "ApplicationThrottled", headers: ["Retry-After": "9"]), .deferred(retryAfter: 9),
        "429"
      ),
      (.graphError(500, "ErrorInternalServerError"), .deferred(), "500"),
    ]
    for (act, verdict, words) in cases {
      let result = try graph(act).client().check { _ in RESTTestTokens.first }
      #expect(result?.verdict == verdict, "\(result?.message ?? "")")
      #expect(result?.message.contains(words) == true, "\(result?.message ?? "")")
    }
  }

  @Test(arguments: [
    "team", "team@", "@example.com", "a b@example.com", "a@b@c",
  ])
  func `a mailbox that isn't an address is refused when the transport opens`(mailbox: String) throws {
    #expect(throws: Diagnostic.self) { try open(try graph(), ["mailbox": mailbox]) }
  }

  @Test(arguments: [0, 5, 64])
  func `more than four requests at once aren't accepted`(parallel: Int64) throws {
    var settings = try graph().settings.mapValues { JSONValue.Content.string($0) }
    settings["parallel"] = .number("4")
    try TestPlugin.open(BuiltProducts.plugin("graph"), settings, accounts: ["office": RESTTestTokens()])
      .close()
    settings["parallel"] = .number("\(parallel)")
    #expect(throws: Diagnostics.self) {
      try TestPlugin.open(BuiltProducts.plugin("graph"), settings, accounts: ["office": RESTTestTokens()])
    }
  }

  @Test func `the reply says that the envelope's sender isn't used`() throws {
    let transport = try open(try graph())
    defer { transport.close() }
    let bytes = Array("From: sender@example.com\r\nTo: bob@example.org\r\n\r\nx\r\n".utf8)
    for sender in [.some("bounces@example.com"), nil] as [String?] {
      let other = transport.attempt(try Mail.sample(from: sender, bytes: bytes))
      #expect(other.outcome == .sent)
      #expect(other.reply?.contains("bounces go to the mailbox") == true)
    }
  }
}
