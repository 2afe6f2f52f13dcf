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
