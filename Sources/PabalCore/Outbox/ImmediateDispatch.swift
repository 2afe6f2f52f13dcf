/// Sends mail in the process that adds it, without waiting for the outbox to be polled. Implemented by ``Dispatcher``.
public protocol ImmediateDispatch: Sendable {
  /// Returns a lease under which a mail of `lane` and the route with this key may be added already claimed, or `nil` if
  /// it must be added as waiting.
  ///
  /// Exactly one `handOver` or `release` must follow each lease.
  func reserve(_ lane: Lane, unknown: UnknownPolicy, route: String) async -> OutboxEntry.Lease?
  /// Sends a mail that is durable and was added under a lease.
  func handOver(_ entry: OutboxEntry, _ mail: Mail) async
  /// Returns a lease that was not used.
  func release() async
  /// Reports that a waiting mail was added.
  func wake()
}

extension Dispatcher: ImmediateDispatch {}

/// Adds mail to the outbox and, if this process has a dispatcher with room, hands it over at once.
struct OutboxWriter: Sendable {
  let dispatch: (any ImmediateDispatch)?

  /// Calls `add` with the entry to store, which is claimed if the mail can be sent at once, and hands the mail over
  /// when `add` has returned a value. `add` returns `nil` if it didn't add the entry.
  func write<Value, Failure: Error>(
    _ entry: OutboxEntry, _ mail: Mail, _ add: (OutboxEntry) async throws(Failure) -> sending Value?
  ) async throws(Failure) -> sending Value? {
    let lease = await dispatch?.reserve(
      entry.lane, unknown: entry.unknown, route: entry.route)
    let entry = lease.map { entry.claimed(by: $0) } ?? entry
    let value: Value?
    do throws(Failure) {
      value = try await add(entry)
    } catch {
      if lease != nil { await dispatch?.release() }
      throw error
    }
    if lease == nil {
      if value != nil { dispatch?.wake() }
    } else if value == nil {
      await dispatch?.release()
    } else {
      await dispatch?.handOver(entry, mail)
    }
    return value
  }
}
