/// What all processes know of a transport: whether it may be tried, and when.
public struct TransportState: Sendable, Hashable {
  /// How many attempts in a row failed by the transport's fault.
  public var failures: Int
  /// Before when it isn't tried: its breaker is open, or it is held.
  public var closedUntil: Timestamp?
  /// Who makes the one attempt that decides, once that time is over, and until when others wait for it.
  public var probe: OutboxEntry.Lease?
  /// Since when it is held, by its account's or the set-up's fault.
  public var heldSince: Timestamp?
  /// Why it is held, sealed: a reply may hold an address.
  public var cause: [UInt8]?
  /// The moment up to which its sends are spent (the theoretical arrival time of ITU-T I.371's GCRA).
  public var spentUntil: Timestamp?

  /// A transport nobody has complained of.
  public init() { failures = 0 }
}
