import Foundation
import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// The suppression list on every store.
@Suite struct SuppressionListTests {
  enum Backend: String, CaseIterable, CustomTestStringConvertible {
    case memory, sqlite, postgresql

    static let allCases: [Backend] =
      [.memory, .sqlite] + (PostgreSQLServer.isAvailable ? [.postgresql] : [])

    var testDescription: String { rawValue }

    func withStore<Value>(_ body: (any SuppressionStore) async throws -> Value) async throws -> Value {
      switch self {
      case .memory: return try await body(MemorySuppressionStore())
      case .sqlite:
        let folder = try TemporaryDirectory()
        let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keyCheck: [1, 2, 3])
        defer { database.close() }
        return try await body(SQLiteSuppressionStore(database))
      case .postgresql:
        return try await withPostgreSQL { settings in
          let database = try PostgreSQLDatabase(settings, keyCheck: [1, 2, 3])
          defer { database.close() }
          return try await body(database.suppressionStore)
        }
      }
    }
  }

  private func entry(_ address: String, at seconds: Double = 0) throws -> Suppression {
    Suppression(try Address(address), added: second(seconds))
  }

  @Test(arguments: Backend.allCases)
  func `an address is found in any spelling, and its entry has what was added`(_ backend: Backend)
    async throws
  {
    try await backend.withStore { store in
      let list = SuppressionList(store, keys: Keyring(current: .random()))
      let bounced = Suppression(
        try Address("Kim@Example.org"), reason: .bounce, status: "5.1.1", mail: "M1", added: second(7))
      #expect(try await list.add(bounced))
      #expect(try await list.add(try entry("\"kim\"@example.org", at: 9)) == false)
      #expect(try await list.list(limit: 10) == [bounced])
      let wanted = try ["kim@example.org", "kim+news@example.org", "lee@example.org"].map { try Address($0) }
      let found = try await list.suppressed(wanted)
      #expect(Set(found.keys) == [wanted[0]])
      #expect(found[wanted[0]]?.reason == .bounce && found[wanted[0]]?.status == "5.1.1")
      #expect(try await list.remove(try Address("KIM@example.org")))
      #expect(try await list.remove(try Address("KIM@example.org")) == false)
      #expect(try await list.count() == 0)
      #expect(try await list.suppressed(wanted).isEmpty)
    }
  }

  @Test(arguments: Backend.allCases)
  func `the newest addresses are listed first`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let list = SuppressionList(store, keys: Keyring(current: .random()))
      for number in 0..<5 { _ = try await list.add(try entry("n\(number)@example.org", at: Double(number))) }
      #expect(
        try await list.list(limit: 2).map(\.address.description) == ["n4@example.org", "n3@example.org"])
      #expect(try await list.count() == 5)
    }
  }

  @Test(arguments: Backend.allCases)
  func `hundreds of recipients are looked up`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let list = SuppressionList(store, keys: Keyring(current: .random(), previous: [.random()]))
      _ = try await list.add(try entry("n777@example.org"))
      let addresses = try (0..<1_000).map { try Address("n\($0)@example.org") }
      #expect(try await list.suppressed(addresses).keys.map(\.description) == ["n777@example.org"])
    }
  }

  @Test(arguments: Backend.allCases)
  func `renewed entries are found after the previous key is deleted`(_ backend: Backend) async throws {
    try await backend.withStore { store in
      let (old, new) = (MasterKey.random(), MasterKey.random())
      _ = try await SuppressionList(store, keys: Keyring(current: old)).add(try entry("kim@example.org"))
      let kim = try Address("kim@example.org")
      let rotated = SuppressionList(store, keys: Keyring(current: new, previous: [old]))
      #expect(try await rotated.suppressed([kim]).count == 1)
      #expect(try await rotated.add(try entry("kim@example.org")) == false)
      #expect(try await rotated.renew() == 1)
      #expect(try await rotated.renew() == 0)
      let later = SuppressionList(store, keys: Keyring(current: new))
      #expect(try await later.suppressed([kim]).count == 1)
      #expect(try await later.list(limit: 10).map(\.address) == [kim])
    }
  }

  @Test func `the file doesn't contain an address`() async throws {
    let folder = try TemporaryDirectory()
    let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keyCheck: [1, 2, 3])
    let list = SuppressionList(SQLiteSuppressionStore(database), keys: Keyring(current: .random()))
    _ = try await list.add(try entry("hidden-name@secret-domain.example"))
    database.close()
    let bytes = try Data(contentsOf: URL(filePath: "\(folder.path)/pabal.sqlite"))
    #expect(bytes.range(of: Data("manual".utf8)) != nil, "the entry is in this file")
    for text in ["hidden-name", "secret-domain"] { #expect(bytes.range(of: Data(text.utf8)) == nil) }
  }

  @Test(arguments: OutboxBackend.allCases)
  func `marks of recipients are kept with the mail after its content is erased`(_ backend: OutboxBackend)
    async throws
  {
    try await backend.withOutbox { outbox in
      try await outbox.add([mail(1)])
      let claimed = try #require(try await outbox.claim(claim("a")).first)
      var settlement = OutboxSettlement(claimed, .final(.rejected), outcome: "rejected", now: second(1))
      let mark = RecipientMark(position: 2, kind: .suppressed, sealed: [1, 2], at: second(1))
      settlement.marks = [mark]
      _ = try await outbox.settle([settlement])
      #expect(try await outbox.read(OutboxQuery()).entries.first?.marks == [])
      var query = OutboxQuery()
      query.withMarks = true
      #expect(try await outbox.read(query).entries.first?.marks == [mark])
      _ = try await outbox.sweep(sweepRequest(at: 200))
      #expect(try await outbox.read(query).entries.isEmpty)
    }
  }
}
