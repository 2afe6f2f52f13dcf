internal import Synchronization

/// The suppression list as a store keeps it. Each call is one transaction.
public protocol SuppressionStore: Sendable {
  /// Adds a record durably unless one under any of `keys` exists. Returns whether it did.
  func add(_ record: SuppressionRecord, unless keys: [[UInt8]]) async throws(StorageError) -> Bool
  /// Removes the records under `keys`. Returns whether there were any.
  func remove(_ keys: [[UInt8]]) async throws(StorageError) -> Bool
  /// Returns the records under any of `keys`.
  func find(_ keys: [[UInt8]]) async throws(StorageError) -> [SuppressionRecord]
  /// Returns the newest `limit` records.
  func list(limit: Int) async throws(StorageError) -> [SuppressionRecord]
  /// Returns how many records there are.
  func count() async throws(StorageError) -> Int
  /// Returns whether the list is empty, at a cost independent of its size.
  func isEmpty() async throws(StorageError) -> Bool
  /// Returns up to `limit` records whose address isn't sealed with the key of this version (its four bytes).
  func list(notSealedWith version: [UInt8], limit: Int) async throws(StorageError) -> [SuppressionRecord]
  /// Replaces the record under each key, if it still exists.
  func replace(_ records: [(key: [UInt8], record: SuppressionRecord)]) async throws(StorageError)
}

/// A suppression list in memory, for tests and for programs that don't need it after they end.
public final class MemorySuppressionStore: SuppressionStore {
  private let records = Mutex<[[UInt8]: SuppressionRecord]>([:])

  /// An empty list.
  public init() {}

  /// Adds a record unless one under any of `keys` exists.
  public func add(_ record: SuppressionRecord, unless keys: [[UInt8]]) async throws(StorageError) -> Bool {
    records.withLock { records in
      guard !keys.contains(where: { records[$0] != nil }) else { return false }
      records[record.key] = record
      return true
    }
  }

  /// Removes the records under `keys`.
  public func remove(_ keys: [[UInt8]]) async throws(StorageError) -> Bool {
    records.withLock { records in
      let count = records.count
      for key in keys { records[key] = nil }
      return records.count < count
    }
  }

  /// Returns the records under any of `keys`.
  public func find(_ keys: [[UInt8]]) async throws(StorageError) -> [SuppressionRecord] {
    records.withLock { records in Set(keys).compactMap { records[$0] } }
  }

  /// Returns the newest `limit` records.
  public func list(limit: Int) async throws(StorageError) -> [SuppressionRecord] {
    records.withLock { Array($0.values.sorted { $0.added > $1.added }.prefix(max(limit, 0))) }
  }

  /// Returns how many records there are.
  public func count() async throws(StorageError) -> Int { records.withLock { $0.count } }

  /// Returns whether the list is empty.
  public func isEmpty() async throws(StorageError) -> Bool { records.withLock { $0.isEmpty } }

  /// Returns up to `limit` records sealed with another key.
  public func list(
    notSealedWith version: [UInt8], limit: Int
  ) async throws(StorageError) -> [SuppressionRecord] {
    records.withLock { records in
      Array(records.values.filter { !$0.sealed.starts(with: version) }.prefix(max(limit, 0)))
    }
  }

  /// Replaces the record under each key, if it still exists.
  public func replace(
    _ replacements: [(key: [UInt8], record: SuppressionRecord)]
  ) async throws(StorageError) {
    records.withLock { records in
      for (key, record) in replacements where records.removeValue(forKey: key) != nil {
        records[record.key] = record
      }
    }
  }
}
