import PabalCore
import PabalHTTP

/// What `pabal serve` counts while it runs; of what comes from callers only so many values have a name.
final class ServeMetrics: Sendable {
  struct Attempt: Hashable {
    let transport: String
    let outcome: String
  }

  struct EndedMail: Hashable {
    let lane: Lane
    let state: OutboxState
  }

  struct Request: Hashable {
    let route: String
    let method: String
    let status: Int
  }

  /// What verifications are told apart by.
  struct VerificationKind: Hashable {
    let purpose: String
    let language: String
  }

  let startTime = Timestamp.now()
  let attempts = LabelledCounter<Attempt>()
  let attemptTimes = LabelledHistogram<String>(
    bounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30])
  let ended = LabelledCounter<EndedMail>()
  let sentTimes = LabelledHistogram<Lane>(
    bounds: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600])
  let starts = LabelledCounter<VerificationKind>()
  let approvals = LabelledCounter<VerificationKind>()
  let approvalTimes = LabelledHistogram<String>(bounds: [5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600])
  let resends = LabelledCounter<VerificationKind>()
  let notices = LabelledCounter<VerificationKind>()
  let checks = LabelledCounter<VerificationOutcome>()
  let limits = LabelledCounter<VerificationLimit>()
  let requests = LabelledCounter<Request>()
  let requestTimes = LabelledHistogram<String>(
    bounds: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30])
  private let purposes = LabelLimiter()
  private let languages = LabelLimiter()

  /// Counts what the dispatcher reports.
  func handle(_ event: DispatcherEvent) {
    switch event {
    case .attempted(_, let transport, let outcome, _, let took):
      attempts.add(Attempt(transport: transport, outcome: outcome.name))
      attemptTimes.add(transport, took)
    case .settled(let entry):
      guard entry.state.isFinal else { return }
      ended.add(EndedMail(lane: entry.lane, state: entry.state))
      if entry.state == .sent, let moment = entry.ended { sentTimes.add(entry.lane, moment - entry.created) }
    case .paced, .held, .restored, .expedited, .codesDelayed, .lost, .unreadable, .unsettled, .storage: break
    }
  }

  /// Counts what the HTTP service reports.
  func handle(_ event: HTTPEvent) {
    switch event {
    case .answered(let route, let method, let status, _, let took):
      requests.add(Request(route: route, method: ServeMetrics.methodLabel(method), status: status))
      requestTimes.add(route, took)
    case .started(let purpose, let language, let isNotice):
      (isNotice ? notices : starts).add(kind(purpose, language))
    case .resent(let purpose, let language): resends.add(kind(purpose, language))
    case .checked(let outcome, let purpose, let language, let after):
      checks.add(outcome)
      guard outcome == .approved else { return }
      let kind = kind(purpose, language)
      approvals.add(kind)
      approvalTimes.add(kind.purpose, after)
    case .limited(let limit): limits.add(limit)
    // The answer's status is counted.
    case .failed: break
    }
  }

  private func kind(_ purpose: String, _ language: String?) -> VerificationKind {
    VerificationKind(purpose: purposes.value(purpose), language: languages.value(language ?? ""))
  }

  private static func methodLabel(_ method: String) -> String {
    switch method {
    case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS": method
    default: LabelLimiter.other
    }
  }
}
