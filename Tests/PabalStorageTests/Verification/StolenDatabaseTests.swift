import Foundation
import GRDB
import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// What a stolen database reveals without the master key.
@Suite struct StolenDatabaseTests {
  private static let address = "kim.cheolsu@example.com"
  private static let reply = "550 5.1.1 <kim.cheolsu@example.com> mailbox of 김철수 is unknown here"

  /// Calls `body` with an open database of verifications in several states, and its master key.
  private func withStolenDatabase(
    _ body: (_ folder: TemporaryDirectory, _ fixture: VerificationFixture, _ key: [UInt8]) async throws ->
      Void
  )
    async throws
  {
    let folder = try TemporaryDirectory()
    let key = (0..<32).map { _ in UInt8.random(in: .min ... .max) }
    let keys = Keyring(current: try #require(MasterKey(bytes: key)))
    let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keys: keys)
    defer { database.close() }
    let outbox = SQLiteOutbox(database)
    let fixture = VerificationFixture(SQLiteVerificationStore(database), outbox, keys: keys)
    let first = try await fixture.service.start(
      to: Self.address, languages: ["ko"], variables: ["name": "김철수"], client: "203.0.113.77")
    _ = try await fixture.service.check(
      first.id, code: fixture.wrong(for: Self.address), client: "203.0.113.77")
    // The dispatcher seals replies together with the mail.
    let lease = OutboxEntry.Lease(owner: "a", until: fixture.clock.now + .seconds(30))
    let claimed = try await outbox.claim(OutboxClaim(lease, now: fixture.clock.now, limit: 1))
    let mail = try #require(claimed.first)
    let sealed = keys.seal(Array(Self.reply.utf8), id: mail.id)
    _ = try await outbox.settle([
      OutboxSettlement(
        mail, .retry(due: fixture.clock.now + .seconds(1), content: sealed), transport: "smtp",
        outcome: "deferred", status: "450 4.2.0", now: fixture.clock.now)
    ])
    fixture.clock.advance(.seconds(60))
    _ = try await fixture.service.resend(first.id)
    fixture.clock.advance(.seconds(60))
    _ = try await fixture.service.start(to: Self.address, languages: ["ko"], variables: ["name": "김철수"])
    let second = try await fixture.service.start(to: Self.address, purpose: "login")
    _ = try await fixture.service.check(second.id, code: fixture.code(for: Self.address))
    let once = IdempotencyKey("order-4711", client: "shop-in-busan", payload: Array("{payload}".utf8))
    _ = try await fixture.service.start(to: "lee@example.com", idempotencyKey: once)
    let third = try await fixture.service.start(to: Self.address, purpose: "cancelled")
    _ = try await fixture.service.cancel(third.id)
    try await body(folder, fixture, key)
  }

  /// Returns the bytes of the file, its log and its shared memory.
  private func bytes(_ folder: TemporaryDirectory) throws -> Data {
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(names.contains("pabal.sqlite-wal"))
    return try names.reduce(into: Data()) {
      $0 += try Data(contentsOf: URL(filePath: "\(folder.path)/\($1)"))
    }
  }

  @Test func `a stolen database has no code, address, mail, reply, variable or client in clear`() async throws
  {
    try await withStolenDatabase { folder, fixture, _ in
      let stolenBytes = try bytes(folder)
      #expect(stolenBytes.count > 50_000)
      func holds(_ text: String) -> Bool { stolenBytes.range(of: Data(text.utf8)) != nil }
      // Values that aren't secret are found, which shows that the search works.
      #expect(holds("pending") && holds("superseded") && holds("450 4.2.0"))
      for mailRequest in fixture.composer.all { #expect(!holds(try #require(mailRequest.code))) }
      let secrets = [
        Self.address, "kim.cheolsu", "example.com", "김철수", "인증번호", "203.0.113", "mailbox of", "Message-ID",
        "order-4711", "shop-in-busan", "{payload}",
        Data(Self.address.utf8).base64EncodedString(), "6rmA7LKg7IiY",
      ]
      for secret in secrets { #expect(!holds(secret), "\(secret)") }
    }
  }

  @Test func `trying all codes against a stolen database finds none without the master key`() async throws {
    try await withStolenDatabase { folder, fixture, key in
      let code = try #require(fixture.composer.all.last { $0.to.description == Self.address }?.code)
      let database = try DatabaseQueue(path: "\(folder.path)/pabal.sqlite")
      let found = try database.read {
        try Row.fetchOne(
          $0, sql: "SELECT id, purpose, generation, code FROM verification WHERE purpose = 'cancelled'")
      }
      let row = try #require(found)
      let (id, purpose, digest): (String, String, Data) = (row["id"], row["purpose"], row["code"])
      let generation: Int64 = row["generation"]
      let meta = try await database.read {
        try Data.fetchOne($0, sql: "SELECT value FROM meta WHERE name = 'key'")
      }
      let check = try #require(meta)
      func search(_ keys: [(name: String, key: Data)]) throws -> [String] {
        let arguments = [
          purpose, Self.address, id, String(generation), Self.hexadecimal(digest.dropFirst(4)),
        ]
        let run = try ChildProcess.run(
          "python3",
          ["-c", Self.bruteForceScript] + arguments + keys.map { "\($0.name)=\(Self.hexadecimal($0.key))" })
        #expect(run.status == 0 && run.errors == "")
        return run.output.split(separator: "\n").map(String.init)
      }
      // Without a key, and with the key check, the only such value in the file.
      #expect(
        try search([("none", Data()), ("hmac", check)]) == [])
      // With the master key the same search finds the code, which shows that the search works.
      #expect(try search([("master", Data(key))]) == [code])
    }
  }

  private static func hexadecimal(_ bytes: Data) -> String {
    bytes.map { String(256 + Int($0), radix: 16).dropFirst() }.joined()
  }

  /// Tries all codes with an implementation of its own, and prints those that match.
  private static let bruteForceScript = """
    import hashlib, hmac, struct, sys
    purpose, address, identity, generation, digest = sys.argv[1:6]
    digest = bytes.fromhex(digest)
    parts = [purpose.encode(), address.encode(), identity.encode(), struct.pack('>Q', int(generation))]
    head = b''.join(struct.pack('>Q', len(part)) + part for part in parts) + struct.pack('>Q', 6)
    for argument in sys.argv[6:]:
        name, key = argument.split('=')
        key = bytes.fromhex(key)
        if name == 'master':
            secret = hmac.digest(b'Pabal', key, 'sha256')
            key = hmac.digest(secret, b'Pabal 1 code' + bytes([1]), 'sha256')
        for number in range(1000000):
            code = b'%06d' % number
            if name == 'none':
                tried = hashlib.sha256(head + code).digest()
            else:
                tried = hmac.digest(key, head + code, 'sha256')
            if tried == digest:
                print(code.decode())
                break
    """
}
