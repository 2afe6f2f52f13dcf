/// The transports of the route that a mail may take now, in order.
struct AvailableRoute: Sendable {
  /// The transports to try, in order.
  let transports: [DispatchTransport]
  /// Whether some transports of the route are left out for now.
  let isPartial: Bool
  /// Whether the next send of every transport is more than `DispatcherOptions.failoverDelay` away.
  let isPaceExhausted: Bool
  /// The generation of the route when it was read (`RouteChange.generation`).
  let generation: Int

  /// The transport to try first.
  var first: DispatchTransport? { transports.first }

  /// The transport before which closed transports are probed; `nil`: all of them are.
  var probeLimit: String? { isPaceExhausted ? nil : first?.name }
}

extension AvailableRoute {
  /// The part of `route` for queued mail of `lane`: the open transports, without those whose pace is exhausted
  /// for long if others remain.
  init(
    _ route: [DispatchTransport], generation: Int, for lane: Lane, at now: Timestamp,
    _ health: TransportHealth, _ rateLimiter: RateLimiter
  ) {
    let open = route.filter { health[$0.name].permission(at: now) == .open }
    let sendable = open.filter { rateLimiter.isSendableSoon($0.name, lane, health[$0.name], at: now) }
    transports = sendable.isEmpty ? open : sendable
    isPartial = transports.count < route.count
    isPaceExhausted = sendable.isEmpty && !open.isEmpty
    self.generation = generation
  }

  /// The part of `route` for a mail that a caller waits for: like queued mail, but closed transports are tried
  /// as well.
  init(
    interactive route: [DispatchTransport], generation: Int, for lane: Lane, at now: Timestamp,
    _ health: TransportHealth, _ rateLimiter: RateLimiter
  ) {
    let sendable = route.filter { rateLimiter.isSendableSoon($0.name, lane, health[$0.name], at: now) }
    transports = sendable.isEmpty ? route : sendable
    isPartial = transports.count < route.count
    isPaceExhausted = sendable.isEmpty && !route.isEmpty
    self.generation = generation
  }

  /// The part of `route` for a mail that probes the transport at `index`: that one, then the open ones after it.
  init(
    probing index: Int, of route: [DispatchTransport], generation: Int, at now: Timestamp,
    _ health: TransportHealth
  ) {
    let open = route[(index + 1)...].filter { health[$0.name].permission(at: now) == .open }
    transports = [route[index]] + open
    isPartial = transports.count < route.count
    isPaceExhausted = false
    self.generation = generation
  }
}
