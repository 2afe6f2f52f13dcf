/// Whether mail is handed to a transport, and why not.
public struct TransportCondition: Sendable, Hashable {
  /// Whether mail is handed to it.
  public enum Availability: String, Sendable, Hashable, CaseIterable {
    /// Yes.
    case open = "open"
    /// The next mail is, to see whether it works again.
    case trial = "trial"
    /// Not before `until`.
    case closed = "closed"
  }

  /// Its name in `config.json`.
  public let name: String
  /// Whether mail is handed to it.
  public let availability: Availability
  /// Until when it is left alone.
  public let until: Timestamp?
  /// Since when it is held, by its account's or the set-up's fault.
  public let heldSince: Timestamp?
  /// How many attempts in a row failed by its fault.
  public let failures: Int

  init(_ name: String, _ state: TransportState, at now: Timestamp) {
    self.name = name
    heldSince = state.heldSince
    failures = state.failures
    switch state.permission(at: now) {
    case .open: (availability, until) = (.open, nil)
    case .probe: (availability, until) = (.trial, nil)
    case .closed(let moment): (availability, until) = (.closed, moment)
    }
  }
}

extension Dispatcher {
  /// How the transports of the route are, in its order, as far as this process knows; before its first round it asks
  /// the outbox what others know.
  public func conditions() async -> [TransportCondition] {
    if lastSweep == nil { await refreshStates() }
    let now = dependencies.now()
    return route().map { TransportCondition($0.name, stateCache[$0.name], at: now) }
  }
}
