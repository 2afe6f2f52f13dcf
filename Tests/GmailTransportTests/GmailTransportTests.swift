import Foundation
import PabalCore
import PabalPlugin
import PabalTesting
import Testing

@testable import GmailTransport

/// The transport as the host loads it, against the fake Gmail.
@Suite struct GmailTransportTests {
  private func open(
    _ port: GmailPort, _ settings: [String: String] = [:], tokens: TestTokens = TestTokens()
  ) throws -> LoadedTransport {
    try OpenedPlugin.open(
      BuiltProducts.plugin("gmail"),
      port.settings.merging(settings) { $1 }.mapValues { .string($0) }, accounts: ["google": tokens])
  }

  @Test func `the first case of all arrives byte for byte`() throws {
    let draft = MailDraft(
      from: try Mailbox("Pabal <sender@example.com>"), to: [try Mailbox("bob@example.net")],
      subject: "회원가입 인증번호", text: "인증번호는 123456입니다.")
    let mail = try draft.finish(stamp: .now())
    let port = try gmail()
    let transport = try open(port)
    defer { transport.close() }
    let receipt = transport.attempt(mail)
    #expect(receipt.outcome == .sent)
    let report = try port.report()
    #expect(report.taken.count == 1)
    #expect(report.taken[0].octets.map { Array($0) } == mail.octets)
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
}
