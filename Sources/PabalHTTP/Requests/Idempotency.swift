internal import HTTPTypes
internal import Synchronization

/// The requests with an `Idempotency-Key` that are under way in this process.
final class RequestsInFlight: Sendable {
  private let keys = Mutex<Set<String>>([])

  /// Does `work` unless a request with the same key is under way.
  func alone<Value>(
    _ key: String?, _ work: () async throws(HTTPProblem) -> Value
  ) async throws(HTTPProblem) -> Value {
    guard let key else { return try await work() }
    guard keys.withLock({ $0.insert(key).inserted }) else { throw .inFlight }
    defer { _ = keys.withLock { $0.remove(key) } }
    return try await work()
  }
}

extension HTTPFields {
  /// The `Idempotency-Key`: 1 to 255 printable ASCII characters, perhaps quoted as a string of RFC 9651.
  func idempotencyKey() throws(HTTPProblem) -> String? {
    guard let text = self[.idempotencyKey] else { return nil }
    var key = text[...]
    if key.count > 1, key.first == "\"", key.last == "\"" { key = key.dropFirst().dropLast() }
    guard 1...255 ~= key.utf8.count, key.utf8.allSatisfy({ 0x20...0x7E ~= $0 }) else {
      throw .invalid("Idempotency-Key", "it is not 1 to 255 printable ASCII characters")
    }
    return String(key)
  }
}
