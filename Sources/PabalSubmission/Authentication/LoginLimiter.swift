internal import PabalCore

/// The failed logins of client addresses within the last minute.
struct LoginLimiter {
  private static let window = 60_000
  // A table of all the addresses that fail within a minute; beyond it, those that failed first are forgotten.
  private static let maxAddresses = 65_536

  private struct Record {
    /// When the last failures happened, in milliseconds, oldest first.
    var failures: [Int] = []
    /// Whether the limit was reported since it was reached.
    var isReported = false
  }

  private var records: [String: Record] = [:]

  /// Whether an address may not try again yet, with `running` of its logins undecided.
  mutating func isLimited(_ address: String, limit: Int, running: Int = 0, at now: Int) -> Bool {
    guard var record = records[address] else { return running >= limit }
    record.failures.removeAll { now - $0 >= LoginLimiter.window }
    if record.failures.isEmpty {
      records[address] = nil
    } else {
      if record.failures.count < limit { record.isReported = false }
      records[address] = record
    }
    return record.failures.count + running >= limit
  }

  /// Records a failure.
  mutating func fail(_ address: String, at now: Int) {
    if records.count >= LoginLimiter.maxAddresses, records[address] == nil { prune(at: now) }
    records[address, default: Record()].failures.append(now)
  }

  /// Whether this is the first refusal of an address since it reached the limit.
  mutating func reportsLimit(_ address: String) -> Bool {
    guard let record = records[address], !record.isReported else { return false }
    records[address]?.isReported = true
    return true
  }

  private mutating func prune(at now: Int) {
    records = records.filter { now - ($0.value.failures.last ?? 0) < LoginLimiter.window }
    guard records.count >= LoginLimiter.maxAddresses else { return }
    let oldest = records.sorted { ($0.value.failures.last ?? 0) < ($1.value.failures.last ?? 0) }
    for (address, _) in oldest.prefix(LoginLimiter.maxAddresses / 4) { records[address] = nil }
  }
}
