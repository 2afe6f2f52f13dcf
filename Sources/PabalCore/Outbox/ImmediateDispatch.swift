/// Whoever may send a verification's mail at once, in the process that adds it: a dispatcher.
public protocol ImmediateDispatch: Sendable {
  /// A lease under which a mail may be added already claimed; `nil`: it is to be added as waiting.
  ///
  /// Each lease is followed by one `handOver` or `release`.
  func reserve(_ lane: Lane, unknown: UnknownPolicy) async -> OutboxEntry.Lease?
  /// Takes over a mail that is durable now and was added under a lease.
  func handOver(_ entry: OutboxEntry, _ mail: Mail) async
  /// Takes back a lease that was not used.
  func release() async
  /// Is told that a waiting mail was added.
  func wake()
}

extension Dispatcher: ImmediateDispatch {}

/// Adds a mail to the outbox, at once in the hands of whoever sends it in this process, if anybody does.
struct OutboxWriter: Sendable {
  let dispatch: (any ImmediateDispatch)?

  /// Has `add` add the entry it is told, and hands the mail over once that is durable; `nil` where it added none
  /// after all.
  func write<Value, Failure: Error>(
    _ entry: OutboxEntry, _ mail: Mail, _ add: (OutboxEntry) async throws(Failure) -> sending Value?
  ) async throws(Failure) -> sending Value? {
    let lease = await dispatch?.reserve(entry.lane, unknown: entry.unknown)
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
