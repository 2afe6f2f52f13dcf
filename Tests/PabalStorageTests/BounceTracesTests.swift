import PabalStorage
import PabalTesting
import Testing

@testable import PabalCore

/// How bounces are matched to mail that was sent.
@Suite struct BounceTracesTests {
  private let folder: TemporaryDirectory
  private let database: SQLiteDatabase
  private let key = MasterKey.random()
  private let keys: Keyring

  init() throws {
    folder = try TemporaryDirectory()
    database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keyCheck: [1])
    keys = Keyring(current: key)
  }

  private var traces: BounceTraces { BounceTraces(SQLiteBounceStore(database), keys: keys) }
  private var list: SuppressionList { SuppressionList(SQLiteSuppressionStore(database), keys: keys) }
  private var outbox: SQLiteOutbox { SQLiteOutbox(database) }

  /// Adds a mail that was sent, with its trace.
  private func send(
    _ id: String, to recipients: [String], remoteID: String? = nil, at: Double = 1,
    as messageID: String? = nil
  ) async throws -> Mail {
    let sample = try Mail.sample(to: recipients, id: id)
    let mail = Mail(
      id: id, envelope: sample.envelope, messageID: messageID ?? sample.messageID, bytes: sample.bytes,
      needsSMTPUTF8: false, needs8BitMIME: false)
    let entry = OutboxEntry(id: id, lane: .normal, created: second(0), content: [1])
    try await outbox.add([entry])
    let claimed = try #require(try await outbox.claim(claim("a", id: id)).first)
    var settlement = OutboxSettlement(claimed, .final(.sent), outcome: "sent", now: second(at))
    settlement.trace = BounceTraces.trace(mail, remoteID: remoteID, keys: keys)
    _ = try await outbox.settle([settlement])
    return mail
  }

  private func bounce(
    of messageID: String, _ recipients: (address: String, action: String, status: String)...
  ) throws -> ReceivedBounce {
    let groups = recipients.map {
      "Final-Recipient: rfc822; \($0.address)\nAction: \($0.action)\nStatus: \($0.status)\n\n"
    }
    let text =
      "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n"
      + "Content-Type: message/delivery-status\n\nReporting-MTA: dns; m\n\n\(groups.joined())"
      + "--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: \(messageID)\n--b--\n"
    return try #require(ReceivedBounce(Array(text.utf8)))
  }

  private func marks(_ id: String) async throws -> [RecipientMark] {
    var query = OutboxQuery(ids: [id])
    query.withMarks = true
    return try #require(try await outbox.read(query).entries.first).marks
  }

  @Test func `the recipient of the mail is marked and suppressed, once`() async throws {
    let mail = try await send("A", to: ["one@example.org", "Two@example.org"])
    let bounce = try bounce(of: mail.messageID, ("two@EXAMPLE.org", "failed", "5.1.1"))
    let recorded = try await traces.record(bounce, in: list, at: second(9))
    #expect(recorded == BounceTraces.Recorded(mail: "A", marked: 1, suppressed: 1, status: "5.1.1"))
    let mark = try #require(try await marks("A").first)
    #expect(mark.position == 1 && mark.kind == .bounced && mark.status == "5.1.1" && mark.at == second(9))
    #expect(String(decoding: try keys.open(mark.sealed, id: "A"), as: UTF8.self) == "two@example.org")
    let entry = try #require(try await list.list(limit: 9).first)
    #expect(entry.reason == .bounce && entry.mail == "A" && entry.status == "5.1.1")
    let again = try await traces.record(bounce, in: list, at: second(10))
    #expect(again == BounceTraces.Recorded(mail: "A", marked: 0, suppressed: 0, status: "5.1.1"))
  }

  @Test func `a bounce of another mail, or for someone who didn't get it, changes nothing`() async throws {
    let mail = try await send("A", to: ["one@example.org"])
    let forged = try bounce(of: "<unknown@example.org>", ("one@example.org", "failed", "5.1.1"))
    #expect(try await traces.record(forged, in: list, at: second(9)) == nil)
    let victim = try bounce(of: mail.messageID, ("victim@example.org", "failed", "5.1.1"))
    #expect(try await traces.record(victim, in: list, at: second(9)) == nil)
    #expect(try await list.count() == 0)
    #expect(try await marks("A").isEmpty)
  }

  @Test func `delays and full mailboxes are marked without suppressing, and a delay replaces no failure`()
    async throws
  {
    let mail = try await send("A", to: ["one@example.org", "two@example.org"])
    let late = try bounce(
      of: mail.messageID, ("one@example.org", "delayed", "4.4.1"), ("two@example.org", "delayed", "4.4.1"))
    #expect(try await traces.record(late, in: list, at: second(9))?.marked == 2)
    let full = try bounce(of: mail.messageID, ("one@example.org", "failed", "5.2.2"))
    #expect(try await traces.record(full, in: list, at: second(10))?.marked == 1)
    #expect(try await traces.record(late, in: list, at: second(11))?.marked == 0)
    #expect(try await marks("A").map(\.kind) == [.bounced, .delayed])
    #expect(try await list.count() == 0)
  }

  @Test func `a mail is found by the id that the next hop gave it, and after the keys were rotated`()
    async throws
  {
    _ = try await send("A", to: ["one@example.org"], remoteID: "19a0000000000001")
    let bounce = try bounce(of: "<CA1@mail.gmail.com>", ("one@example.org", "failed", "5.1.1"))
    let rotated = BounceTraces(
      SQLiteBounceStore(database), keys: Keyring(current: .random(), previous: [key]))
    #expect(try await rotated.record(bounce, in: list, at: second(9)) == nil)
    let recorded = try await rotated.record(
      bounce, remoteIDs: ["19a0000000000002", "19a0000000000001"], in: list, at: second(9))
    #expect(recorded?.mail == "A" && recorded?.marked == 1)
  }

  @Test func `traces outlive the mail and are deleted after two weeks`() async throws {
    let mail = try await send("A", to: ["one@example.org"])
    let bounce = try bounce(of: mail.messageID, ("one@example.org", "failed", "5.1.1"))
    _ = try await outbox.sweep(sweepRequest(at: 13 * 86_400))
    #expect(try await outbox.read(OutboxQuery()).entries.isEmpty)
    let recorded = try await traces.record(bounce, in: list, at: second(9))
    #expect(recorded?.marked == 0 && recorded?.suppressed == 1)
    _ = try await outbox.sweep(sweepRequest(at: 15 * 86_400))
    #expect(try await traces.record(bounce, in: list, at: second(9)) == nil)
  }

  @Test func `mails with the same Message-ID differ by recipient, and by which came back already`()
    async throws
  {
    let id = "<same@example.test>"
    _ = try await send("A", to: ["one@example.org", "two@example.org"], at: 1, as: id)
    _ = try await send("B", to: ["three@example.org", "two@example.org"], at: 2, as: id)
    func record(_ address: String, at time: Double) async throws -> BounceTraces.Recorded? {
      try await traces.record(
        try bounce(of: id, (address, "failed", "5.2.2")), in: list, at: second(time))
    }
    #expect(try await record("one@example.org", at: 10)?.mail == "A")
    #expect(try await record("three@example.org", at: 11)?.mail == "B")
    #expect(try await record("two@example.org", at: 12)?.mail == "B")
    #expect(try await record("two@example.org", at: 13)?.mail == "A")
    #expect(try await record("two@example.org", at: 14)?.marked == 0)
    #expect(try await marks("A").map(\.position) == [0, 1])
    #expect(try await marks("B").map(\.position) == [0, 1])
  }

  @Test func `what was read of a mailbox is stored sealed, for each mailbox`() async throws {
    try await traces.setCursor(Array("1700000000000\nabc".utf8), "google\0alice@example.test")
    #expect(try await traces.cursor("google\0alice@example.test") == Array("1700000000000\nabc".utf8))
    #expect(try await traces.cursor("google\0bob@example.test") == nil)
  }
}
