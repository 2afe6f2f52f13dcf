internal import Glibc
internal import PabalCore
internal import PabalStorage

/// Compares claims with few and with many waiting mails, and measures the memory with many.
struct ClaimBenchmark {
  private let directory: String

  init(_ directory: String) { self.directory = directory }

  /// Returns the median time of a claim of one mail in microseconds, with 100 and with 100,000 waiting mails, and the
  /// resident memory in MiB with the latter.
  func run() async throws(StorageError) -> (few: Double, many: Double, memory: Double) {
    let small = try await filled("few", 100)
    let large = try await filled("many", 100_000)
    var few: [Double] = []
    var many: [Double] = []
    for _ in 0..<300 {
      few.append(try await claim(small.outbox))
      many.append(try await claim(large.outbox))
    }
    let memory = resident()
    small.database.close()
    large.database.close()
    return (median(few), median(many), memory)
  }

  private func filled(
    _ name: String, _ count: Int
  ) async throws(StorageError) -> (database: SQLiteDatabase, outbox: SQLiteOutbox) {
    let database = try SQLiteDatabase("\(directory)/\(name).sqlite", keyCheck: [1])
    let outbox = SQLiteOutbox(database)
    let content = [UInt8](repeating: 7, count: 2_048)
    for start in stride(from: 0, to: count, by: 500) {
      let end = min(start + 500, count)
      try await outbox.add((start..<end).map { waitingMail($0, content, lane: $0 % 4 == 0 ? .code : .bulk) })
    }
    return (database, outbox)
  }

  /// Claims one mail and releases it. Returns the time of the claim in microseconds.
  private func claim(_ outbox: SQLiteOutbox) async throws(StorageError) -> Double {
    let time = Timestamp.now()
    let lease = OutboxEntry.Lease(owner: "bench", until: time + .seconds(60))
    let began = now()
    let claimed = try await outbox.claim(OutboxClaim(lease, now: time, limit: 1))
    let took = (now() - began) * 1_000_000
    guard claimed.count == 1 else { exit(70) }
    _ = try await outbox.settle(claimed.map { OutboxSettlement($0, .release, now: time) })
    return took
  }

  private func resident() -> Double {
    guard let bytes = try? readFile("/proc/self/statm", atMost: 4_096) else { return 0 }
    let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    return (fields.count > 1 ? Double(fields[1]) ?? 0 : 0) * Double(sysconf(Int32(_SC_PAGESIZE))) / 1_048_576
  }
}
