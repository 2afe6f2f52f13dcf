import PabalTesting
import Testing

@testable import PabalCore

/// What the dispatcher does with recipients on the suppression list.
@Suite struct SuppressedRecipientTests {
  private let store = MemorySuppressionStore()
  private let list: SuppressionList

  init() {
    list = SuppressionList(store, keys: Keyring(current: MasterKey.random()))
  }

  private func suppress(_ address: String) async throws {
    #expect(try await list.add(Suppression(Address(address), added: Timestamp(milliseconds: 0))))
  }

  private func suppressedEvents(_ fixture: DispatcherFixture) -> [String] {
    fixture.events.compactMap { event in
      guard case .suppressed(let id, let lane, let recipients, let isWithheld) = event else { return nil }
      return "\(id) \(lane) \(recipients) \(isWithheld)"
    }
  }

  @Test
  func `bulk mail reaches the other recipients, and ends as rejected with a mark for the suppressed one`()
    async throws
  {
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp], suppression: list)
    try await suppress("Two@Example.org")
    try await fixture.add(
      "A", lane: .bulk, to: ["one@example.org", "two@example.org", "three@example.org"])
    await fixture.advance()
    #expect(
      smtp.received.map { $0.envelope.recipients.map(\.description) } == [
        ["one@example.org", "three@example.org"]
      ])
    let entry = try #require(try await fixture.entry("A"))
    #expect(entry.state == .rejected)
    #expect(entry.marks.map(\.position) == [1] && entry.marks.map(\.kind) == [.suppressed])
    let sealed = try PlainSealing().open(try #require(entry.marks.first).sealed, id: "A")
    #expect(String(decoding: sealed, as: UTF8.self) == "two@example.org")
    #expect(suppressedEvents(fixture) == ["A bulk 1 true"])
  }

  @Test func `bulk mail to suppressed recipients alone isn't attempted`() async throws {
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp], suppression: list)
    try await suppress("two@example.org")
    try await fixture.add("A", lane: .bulk, to: ["two@example.org"])
    await fixture.advance()
    #expect(smtp.received.isEmpty)
    let entry = try #require(try await fixture.entry("A"))
    #expect(entry.state == .rejected && entry.outcome == "rejected" && entry.transport == nil)
    #expect(entry.marks.map(\.kind) == [.suppressed])
  }

  @Test func `an address that is suppressed while mail waits gets none of its retries`() async throws {
    let smtp = ScriptedTransport("smtp", [.deferred()])
    let fixture = DispatcherFixture([smtp], suppression: list)
    try await fixture.add("A", lane: .bulk, to: ["one@example.org", "two@example.org"])
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .waiting)
    try await suppress("two@example.org")
    smtp.answer(.sent)
    await fixture.advance(.seconds(120))
    #expect(smtp.received.last?.envelope.recipients.map(\.description) == ["one@example.org"])
    #expect(try await fixture.entry("A")?.state == .rejected)
  }

  @Test(arguments: [Lane.code, .normal])
  func `codes and other mail are sent to suppressed addresses, and reported`(_ lane: Lane) async throws {
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp], suppression: list)
    try await suppress("two@example.org")
    try await fixture.add("A", lane: lane, to: ["one@example.org", "two@example.org"])
    await fixture.advance()
    #expect(smtp.received.first?.envelope.recipients.count == 2)
    let entry = try #require(try await fixture.entry("A"))
    #expect(entry.state == .sent && entry.marks.isEmpty)
    #expect(suppressedEvents(fixture) == ["A \(lane) 1 false"])
  }

  @Test func `an address that was removed gets bulk mail again`() async throws {
    let smtp = ScriptedTransport("smtp")
    let fixture = DispatcherFixture([smtp], suppression: list)
    try await suppress("two@example.org")
    #expect(try await list.remove(Address("TWO@example.org")))
    try await fixture.add("A", lane: .bulk, to: ["two@example.org"])
    await fixture.advance()
    #expect(try await fixture.entry("A")?.state == .sent)
    #expect(suppressedEvents(fixture).isEmpty)
  }

  @Test func `bulk mail waits while the list can't be read, and other mail doesn't`() async throws {
    let smtp = ScriptedTransport("smtp")
    let unreadable = SuppressionList(UnreadableSuppressionStore(), keys: Keyring(current: MasterKey.random()))
    let fixture = DispatcherFixture([smtp], suppression: unreadable)
    try await fixture.add("BULK", lane: .bulk)
    try await fixture.add("CODE")
    await fixture.advance()
    #expect(smtp.ids == ["CODE"])
    let entry = try #require(try await fixture.entry("BULK"))
    #expect(entry.state == .waiting && entry.content != nil && entry.due > fixture.clock.now)
  }
}

/// A suppression list whose store fails.
private struct UnreadableSuppressionStore: SuppressionStore {
  private func failure() -> StorageError { StorageError(.busy, place: "test") }

  func add(_ record: SuppressionRecord, unless keys: [[UInt8]]) async throws(StorageError) -> Bool {
    throw failure()
  }
  func remove(_ keys: [[UInt8]]) async throws(StorageError) -> Bool { throw failure() }
  func find(_ keys: [[UInt8]]) async throws(StorageError) -> [SuppressionRecord] { throw failure() }
  func list(limit: Int) async throws(StorageError) -> [SuppressionRecord] { throw failure() }
  func count() async throws(StorageError) -> Int { throw failure() }
  func isEmpty() async throws(StorageError) -> Bool { throw failure() }
  func list(
    notSealedWith version: [UInt8], limit: Int
  ) async throws(StorageError) -> [SuppressionRecord] { throw failure() }
  func replace(_ records: [(key: [UInt8], record: SuppressionRecord)]) async throws(StorageError) {
    throw failure()
  }
}
