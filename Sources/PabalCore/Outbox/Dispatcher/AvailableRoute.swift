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

  /// The transport before which paused transports are probed; `nil`: all of them are.
  var probeLimit: String? { isPaceExhausted ? nil : first?.name }
}

extension AvailableRoute {
  /// The part of `route` for queued mail of `lane`: the ready transports, without those whose pace is exhausted
  /// for long if others remain.
  init(
    _ route: [DispatchTransport], generation: Int, for lane: Lane, at now: Timestamp,
    _ health: TransportHealth, _ rateLimiter: RateLimiter
  ) {
    let ready = route.filter { health[$0.name].permission(at: now) == .ready }
    let sendable = ready.filter { rateLimiter.isSendableSoon($0.name, lane, health[$0.name], at: now) }
    transports = sendable.isEmpty ? ready : sendable
    isPartial = transports.count < route.count
    isPaceExhausted = sendable.isEmpty && !ready.isEmpty
    self.generation = generation
  }

  /// The part of `route` for a mail that a caller waits for: like queued mail, but paused transports are tried
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

  /// The part of `route` for a mail that probes the transport at `index`: that one, then the ready ones after it.
  init(
    probing index: Int, of route: [DispatchTransport], generation: Int, at now: Timestamp,
    _ health: TransportHealth
  ) {
    let ready = route[(index + 1)...].filter { health[$0.name].permission(at: now) == .ready }
    transports = [route[index]] + ready
    isPartial = transports.count < route.count
    isPaceExhausted = false
    self.generation = generation
  }
}
