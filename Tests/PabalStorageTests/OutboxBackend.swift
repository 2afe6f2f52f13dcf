import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// The stores that keep the contract; a further one is a further case.
enum OutboxBackend: String, CaseIterable, CustomTestStringConvertible {
  case memory, sqlite

  var testDescription: String { rawValue }

  /// Runs `body` on an empty outbox, and removes it.
  func withOutbox<Value>(_ body: (any Outbox) async throws -> Value) async throws -> Value {
    switch self {
    case .memory: return try await body(MemoryOutbox())
    case .sqlite:
      let folder = try TemporaryDirectory()
      let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keyCheck: [1, 2, 3])
      defer { database.close() }
      return try await body(SQLiteOutbox(database))
    }
  }
}

/// A moment so many seconds after the start of a test.
func second(_ seconds: Double) -> Timestamp {
  Timestamp(milliseconds: 1_700_000_000_000 + Int64(seconds * 1000))
}

/// A mail of number `number`, added at second 0.
func mail(
  _ number: Int, lane: Lane = .code, created: Double = 0, due: Double? = nil, notAfter: Double? = nil,
  unknown: UnknownPolicy = .resend, group: String? = nil
) -> OutboxEntry {
  OutboxEntry(
    id: "MAIL\(number)", lane: lane, created: second(created), due: due.map(second),
    notAfter: notAfter.map(second), unknown: unknown, group: group, content: [UInt8(number & 0xFF), 7, 9])
}

/// A claim by `owner` at `now`, for 30 seconds.
func claim(
  _ owner: String, at now: Double = 0, limit: Int = 10, reservedForCodes: Int = 0, id: String? = nil
) -> OutboxClaim {
  OutboxClaim(
    OutboxEntry.Lease(owner: owner, until: second(now + 30)), now: second(now), limit: limit,
    reservedForCodes: reservedForCodes, id: id)
}

/// The housekeeping of `owner` at `now`, which keeps what ended for 100 seconds.
func sweepRequest(_ owner: String = "sweeper", at now: Double, limit: Int = 500) -> OutboxSweep {
  var options = DispatcherOptions()
  options.retention = .seconds(100)
  return OutboxSweep(now: second(now), owner: owner, options: options, limit: limit)
}
