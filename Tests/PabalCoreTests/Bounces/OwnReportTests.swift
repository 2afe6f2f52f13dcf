import PabalTesting
import Testing

@testable import PabalCore

/// Pabal's own reports, as another Pabal reads them in the mailbox of the sender.
@Suite struct OwnReportTests {
  private let bytes = "Message-ID: <m1@example.test>\nSubject: Hello\n\nhello\n"

  private func bounces(_ site: ReportFixture) -> [ReceivedBounce?] {
    site.reports.map { ReceivedBounce($0.bytes) }
  }

  @Test(arguments: [[], ["kim", "안녕"]])
  func `a failure is recognized, with the mail and the recipient, also an international one`(
    locals: [String]
  ) async throws {
    let recipient = locals.isEmpty ? "bob@example.org" : "\(locals[1])@example.org"
    let site = try ReportFixture()
    site.transport.answer(.rejected, for: recipient)
    site.transport.answer(.sent, reply: "550 5.1.1 no such user")
    try await site.submit(to: [recipient], bytes: bytes)
    for _ in 0..<2 { await site.fixture.advance() }
    let bounce = try #require(bounces(site).first ?? nil)
    #expect(bounce.messageIDs == ["<m1@example.test>"])
    #expect(bounce.recipients.count == 1)
    let found = try #require(bounce.recipients.first)
    #expect(found.addresses.contains(try Address(recipient)))
    #expect(found.isFailed && found.isAddressAtFault && found.status == "5.1.1")
  }

  @Test func `a delay is recognized as one`() async throws {
    let site = try ReportFixture(delay: .seconds(3_600))
    site.transport.answer(.deferred(), for: "bob@example.org")
    site.transport.answer(.sent, reply: "451 4.4.1 later")
    try await site.submit(bytes: bytes)
    for _ in 0..<8 { await site.fixture.advance(.seconds(1_800)) }
    let bounce = try #require(bounces(site).first ?? nil)
    #expect(bounce.recipients.map(\.isFailed) == [false])
    #expect(bounce.messageIDs == ["<m1@example.test>"])
  }

  @Test func `a notification of success is not a bounce`() async throws {
    let site = try ReportFixture()
    var parameters = ReportParameters()
    parameters.recipients[try Address("bob@example.org")] = .init(events: .success)
    try await site.submit(parameters, bytes: bytes)
    for _ in 0..<3 { await site.fixture.advance() }
    #expect(site.reports.count == 1)
    #expect(bounces(site) == [nil])
  }
}
