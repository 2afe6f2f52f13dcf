internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The state that all handlers share.
struct SharedState: Sendable {
  /// Returns what to answer from; a reload of the configuration replaces it.
  let dependencies: @Sendable () -> HTTPDependencies
  let readiness: @Sendable () async -> Readiness
  let metrics: (@Sendable () async -> MetricsText)?
  let attempts: AttemptWaiters
  let inFlight = RequestsInFlight()
  let rates = CallerRates()
  let mailMemory = MailMemory()
  let table = HTTPRouteTable(HTTPRoute.all)
  let report: @Sendable (HTTPEvent) -> Void
  let warnings: ProxyWarnings

  init(
    dependencies: @escaping @Sendable () -> HTTPDependencies,
    readiness: @escaping @Sendable () async -> Readiness,
    metrics: (@Sendable () async -> MetricsText)?, attempts: AttemptWaiters,
    report: @escaping @Sendable (HTTPEvent) -> Void
  ) {
    self.dependencies = dependencies
    self.readiness = readiness
    self.metrics = metrics
    self.attempts = attempts
    self.report = report
    warnings = ProxyWarnings(report)
  }

  /// Calls `read` repeatedly until the mail's first attempt has ended or the time in `preference` is up, and returns its
  /// last result; returns `first` if the request doesn't want to wait.
  func waitForFirstAttempt<Value, Problem: Error>(
    _ first: Value, _ preference: PreferHeader, delivery: (Value) -> MailStatus?,
    read: () async throws(Problem) -> Value
  ) async throws(Problem) -> Value {
    guard let wait = preference.wait else { return first }
    let deadline = ContinuousClock.now + .seconds(wait)
    var latest = first
    // Polls as well, because an attempt by another process isn't reported here.
    var pause = Duration.milliseconds(50)
    while let delivery = delivery(latest), delivery.isAwaitingFirstAttempt {
      let left = deadline - .now
      guard left > .zero, !Task.isCancelled, !attempts.isReleased else { break }
      await attempts.wait(for: delivery.mail, atMost: min(left, pause))
      pause = min(pause * 2, .milliseconds(500))
      latest = try await read()
    }
    return latest
  }

  /// Runs `work`, which queues `count` mails, within the rate of the caller.
  func withinRate<Value>(
    of caller: AuthenticatedCaller, mails count: Int,
    _ work: () async throws(ProblemDetails) -> (Value, isCounted: Bool)
  ) async throws(ProblemDetails) -> Value {
    try await rates.run(.mail, count, of: caller.owner, caller.rate) { limit, wait in
      refusal(.rate, limit, wait)
    } _: { () throws(ProblemDetails) in
      try await work()
    }
  }

  /// Runs `work`, which queues `count` mails of any message, within the client's rate, or within the limit of all callers
  /// without a key.
  func withinMailLimit<Value>(
    of caller: AuthenticatedCaller, mails count: Int,
    _ work: () async throws(ProblemDetails) -> (Value, isCounted: Bool)
  ) async throws(ProblemDetails) -> Value {
    guard caller.owner == .keyless else {
      return try await withinRate(of: caller, mails: count) { () throws(ProblemDetails) in try await work() }
    }
    return try await rates.run(.mail, count, of: .keyless, dependencies().access.keylessStarts) {
      limit, wait in
      refusal(.keyless, limit, wait)
    } _: { () throws(ProblemDetails) in
      try await work()
    }
  }

  /// Runs `work`, a start, a check or a search, within the limit of all callers without a key.
  ///
  /// The limit stands in for a proxy that can't be seen. Callers whose own address is known are counted by it instead, so
  /// that one of them can't use up the limit of all.
  func withinKeylessLimit<Value>(
    _ action: CallerRates.Action, of caller: AuthenticatedCaller,
    _ work: () async throws(ProblemDetails) -> (Value, isCounted: Bool)
  ) async throws(ProblemDetails) -> Value {
    let access = dependencies().access
    let limits = action == .check ? access.keylessChecks : access.keylessStarts
    return try await rates.run(
      action, of: .keyless, caller.owner == .keyless && caller.address == nil ? limits : []
    ) { limit, wait in
      refusal(.keyless, limit, wait)
    } _: { () throws(ProblemDetails) in
      try await work()
    }
  }

  private func refusal(_ limit: VerificationLimit, _ cap: RateLimit, _ wait: Duration?) -> ProblemDetails {
    report(.limited(limit))
    var problem = ProblemDetails(.limited(limit, retryAfter: wait))
    if wait == nil {
      problem.detail = "a mail to so many recipients never fits into the client's rate of \(cap.count)"
    }
    return problem
  }

  /// Returns 202 with the location of what was queued.
  func accepted(_ body: some Encodable, at path: String, _ preference: PreferHeader) -> Response {
    var response = Response.json(body, status: .accepted)
    response.headers[.location] = path
    if let wait = preference.wait { response.headers[.preferenceApplied] = "wait=\(wait)" }
    return response
  }

  /// Reports errors that an operator should know of: limits, and faults of the store, the keys or a message.
  func reportFailure(_ error: VerificationError) {
    switch error {
    case .limited(let limit, _): report(.limited(limit))
    case .storage, .keys: report(.failed(error.description))
    case .brokenMessage(let diagnostics): reportBroken(diagnostics)
    // The caller's errors.
    case .unknown, .ended, .input, .inputs, .proof, .reused: break
    }
  }

  /// Reports that a message can't be rendered.
  func reportBroken(_ diagnostics: Diagnostics) {
    report(.failed("the message is broken: \(diagnostics.all.first?.located ?? "")"))
  }
}

extension MailStatus {
  /// Whether the first attempt has yet to end.
  fileprivate var isAwaitingFirstAttempt: Bool { (state == .waiting || state == .sending) && outcome == nil }
}
