import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// The outboxes that the contract tests run on.
enum OutboxBackend: String, CaseIterable, CustomTestStringConvertible {
  case memory, sqlite, postgresql

  static let allCases: [OutboxBackend] =
    [.memory, .sqlite] + (PostgreSQLServer.isAvailable ? [.postgresql] : [])

  var testDescription: String { rawValue }

  /// Runs `body` on a new outbox and deletes it afterwards.
  func withOutbox<Value>(_ body: (any Outbox) async throws -> Value) async throws -> Value {
    switch self {
    case .memory: return try await body(MemoryOutbox())
    case .sqlite:
      let folder = try TemporaryDirectory()
      let database = try SQLiteDatabase("\(folder.path)/pabal.sqlite", keyCheck: [1, 2, 3])
      defer { database.close() }
      return try await body(SQLiteOutbox(database))
    case .postgresql:
      return try await withPostgreSQL { settings in
        let database = try PostgreSQLDatabase(settings, keyCheck: [1, 2, 3])
        defer { database.close() }
        return try await body(database.outbox)
      }
    }
  }
}

/// Returns the time `seconds` after the start of a test.
func second(_ seconds: Double) -> Timestamp {
  Timestamp(milliseconds: 1_700_000_000_000 + Int64(seconds * 1000))
}

/// Returns a mail with an id of `number`, added at second 0 by default.
func mail(
  _ number: Int, lane: Lane = .code, created: Double = 0, due: Double? = nil, notAfter: Double? = nil,
  unknown: UnknownPolicy = .resend, group: String? = nil, caller: Caller = .unrestricted,
  route: String = ""
) -> OutboxEntry {
  OutboxEntry(
    id: "MAIL\(number)", lane: lane, created: second(created), due: due.map(second),
    notAfter: notAfter.map(second), unknown: unknown, group: group, caller: caller,
    route: route, content: [UInt8(number & 0xFF), 7, 9])
}

/// Returns a claim by `owner` at second `now`, with a lease of 30 seconds.
func claim(
  _ owner: String, at now: Double = 0, limit: Int = 10, reservedForCodes: Int = 0, id: String? = nil,
  routes: OutboxClaim.Routes = .all
) -> OutboxClaim {
  var claim = OutboxClaim(
    OutboxEntry.Lease(owner: owner, until: second(now + 30)), now: second(now), limit: limit,
    reservedForCodes: reservedForCodes, id: id)
  claim.routes = routes
  return claim
}

/// Returns a sweep by `owner` at second `now`, with a retention of 100 seconds.
func sweepRequest(_ owner: String = "sweeper", at now: Double, limit: Int = 500) -> OutboxSweep {
  var options = DispatcherOptions()
  options.retention = .seconds(100)
  return OutboxSweep(now: second(now), owner: owner, options: options, limit: limit)
}
