import Crypto
import Foundation
import GRDB
import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// What a thief of the database finds who has everything but the key.
@Suite struct StolenDatabaseTests {
  private static let address = "kim.cheolsu@example.com"
  private static let reply = "550 5.1.1 <kim.cheolsu@example.com> mailbox of 김철수 is unknown here"

  /// A database with a verification in each state, in use and not closed, and all that was secret in it.
  private func withLoot(
    _ body: (_ folder: TemporaryDirectory, _ desk: VerificationDesk, _ keys: Keyring) async throws -> Void
  )
    async throws
  {
    let folder = try TemporaryDirectory()
    let keys = Keyring(current: .random())
    let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keys: keys)
    defer { database.close() }
    let outbox = SQLiteOutbox(database)
    let desk = VerificationDesk(SQLiteVerifications(database), outbox, keys: keys)
    let first = try await desk.service.start(
      to: Self.address, languages: ["ko"], variables: ["name": "김철수"], client: "203.0.113.77")
    _ = try await desk.service.check(first.id, code: desk.wrong(for: Self.address), client: "203.0.113.77")
    // A reply is sealed by the dispatcher, as the mail is.
    let lease = OutboxEntry.Lease(owner: "a", until: desk.clock.now + .seconds(30))
    let claimed = try await outbox.claim(OutboxClaim(lease, now: desk.clock.now, limit: 1))
    let mail = try #require(claimed.first)
    let sealed = keys.seal(Array(Self.reply.utf8), id: mail.id)
    _ = try await outbox.settle([
      OutboxSettlement(
        mail, .again(due: desk.clock.now + .seconds(1), content: sealed), transport: "smtp",
        outcome: "deferred", status: "450 4.2.0", now: desk.clock.now)
    ])
    desk.clock.pass(.seconds(60))
    _ = try await desk.service.resend(first.id)
    desk.clock.pass(.seconds(60))
    _ = try await desk.service.start(to: Self.address, languages: ["ko"], variables: ["name": "김철수"])
    let second = try await desk.service.start(to: Self.address, purpose: "login")
    _ = try await desk.service.check(second.id, code: desk.code(for: Self.address))
    let third = try await desk.service.start(to: Self.address, purpose: "cancelled")
    _ = try await desk.service.cancel(third.id)
    try await body(folder, desk, keys)
  }

  /// All octets of the file, its log and its index.
  private func octets(_ folder: TemporaryDirectory) throws -> Data {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(names.contains("pabal.sqlite-wal"))
    return try names.reduce(into: Data()) {
      $0 += try Data(contentsOf: URL(filePath: "\(folder.path)/\($1)"))
    }
  }

  @Test func `holds no code, address, mail, reply, variable or client`() async throws {
    try await withLoot { folder, desk, _ in
      let loot = try octets(folder)
      #expect(loot.count > 50_000)
      func holds(_ text: String) -> Bool { loot.range(of: Data(text.utf8)) != nil }
      // What isn't secret is there, so that the search would find the rest.
      #expect(holds("pending") && holds("superseded") && holds("450 4.2.0"))
      for letter in desk.letters.all { #expect(!holds(try #require(letter.code))) }
      let secrets = [
        Self.address, "kim.cheolsu", "example.com", "김철수", "인증번호", "203.0.113", "mailbox of", "Message-ID",
        Data(Self.address.utf8).base64EncodedString(), "6rmA7LKg7IiY",
      ]
      for secret in secrets { #expect(!holds(secret), "\(secret)") }
    }
  }

  @Test func `gives no code to somebody who tries all of them`() async throws {
    try await withLoot { folder, desk, keys in
      let code = try #require(desk.letters.all.last { $0.to.description == Self.address }?.code)
      let database = try DatabaseQueue(path: "\(folder.path)/pabal.sqlite")
      let row = try #require(
        try await database.read {
          try Row.fetchOne(
            $0, sql: "SELECT id, purpose, generation, code FROM verification WHERE purpose = 'cancelled'")
        })
      let (id, purpose, digest): (String, String, Data) = (row["id"], row["purpose"], row["code"])
      let generation: Int64 = row["generation"]
      let known: [[UInt8]] = [
        Array(purpose.utf8), Array(Self.address.utf8), Array(id.utf8),
        withUnsafeBytes(of: UInt64(generation).bigEndian, Array.init),
      ]
      // With the key it is found, so that what is searched for below is the right thing.
      #expect(keys.codeDigest(Array(digest), matches: known + [Array(code.utf8)]))

      func length(_ count: Int) -> [UInt8] { withUnsafeBytes(of: UInt64(count).bigEndian, Array.init) }
      let head = known.flatMap { length($0.count) + $0 } + length(6)
      let kept = Array(digest.dropFirst(4))
      let check = try #require(
        try await database.read { try Data.fetchOne($0, sql: "SELECT value FROM meta WHERE name = 'key'") })
      // The best keys a thief has: what the file holds of the real one.
      let best = [SymmetricKey(data: check), SymmetricKey(data: digest.prefix(4))]
      let found = await Self.search { number in
        var octets = head
        var power = 100_000
        while power > 0 {
          octets.append(UInt8(0x30 + number / power % 10))
          power /= 10
        }
        return SHA256.hash(data: octets) == kept
          || HMAC<SHA256>.authenticationCode(for: octets, using: best[number & 1]) == kept
          || HMAC<SHA256>.authenticationCode(for: octets, using: best[number & 1 ^ 1]) == kept
      }
      #expect(found.isEmpty)
    }
  }

  /// The numbers below a million that fit, sought on two threads.
  private static func search(_ fits: @escaping @Sendable (Int) -> Bool) async -> [Int] {
    await onThreads([0, 1]) { half in
      stride(from: half, to: 1_000_000, by: 2).filter(fits)
    }.flatMap(\.self)
  }
}
