internal import HTTPTypes
internal import Hummingbird
internal import PabalCore
internal import Synchronization

/// The idempotency keys of the requests that this process is handling.
final class RequestsInFlight: Sendable {
  private let keys = Mutex<Set<IdempotencyKey>>([])

  /// Runs `work`; throws 409 if a request with the same key is being handled.
  func runExclusively<Value>(
    _ key: IdempotencyKey?, _ work: () async throws(ProblemDetails) -> Value
  ) async throws(ProblemDetails) -> Value {
    guard let key else { return try await work() }
    guard keys.withLock({ $0.insert(key).inserted }) else { throw .inFlight }
    defer { _ = keys.withLock { $0.remove(key) } }
    return try await work()
  }
}

extension Request {
  /// Returns the `Idempotency-Key`, bare or quoted as a string of RFC 9651, bound to the caller and the body; `nil` if
  /// there is none. Throws 400 if it isn't printable ASCII or too long.
  func idempotencyKey(of caller: AuthenticatedCaller, _ parts: [[UInt8]]) throws(ProblemDetails)
    -> IdempotencyKey?
  {
    guard let text = headers[.idempotencyKey] else { return nil }
    var key = text[...]
    if key.count > 1, key.first == "\"", key.last == "\"" { key = key.dropFirst().dropLast() }
    guard key.utf8.allSatisfy({ 0x20...0x7E ~= $0 }),
      let key = IdempotencyKey(String(key), client: caller.name ?? "", payloadParts: parts)
    else {
      throw .invalid(
        "Idempotency-Key", "expected 1 to \(IdempotencyKey.sizeLimit) printable ASCII characters")
    }
    return key
  }
}
