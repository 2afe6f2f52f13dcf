internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// What the endpoints share.
struct RequestHandlers: Sendable {
  let dependencies: @Sendable () -> HTTPDependencies
  let readiness: @Sendable () async -> Readiness
  let metrics: (@Sendable () async -> MetricsText)?
  let attempts: AttemptWaiters
  let inFlight = RequestsInFlight()
  let report: @Sendable (HTTPEvent) -> Void

  /// The answer to a request, whose method is the endpoint's.
  func response(
    _ endpoint: APIEndpoint, _ request: Request, _ caller: AuthenticatedCaller?, peer: String?
  ) async throws(ProblemDetails) -> Response {
    switch endpoint {
    case .health: return .json(["status": "ok"])
    case .readiness:
      // A load balancer without a key needs the status alone, and nobody else without one needs more.
      let isKnown = (try? AuthenticatedCaller(request.headers, peer: peer, dependencies().access)) != nil
      return await readinessResponse(withDetail: isKnown)
    case .metrics:
      guard let metrics else { throw .pathNotFound }
      return .bytes(Array(await metrics().text.utf8), type: MetricsText.type)
    case .document:
      return .bytes(PackageResources.openapi_json, type: "application/json")
    case .demo(let endpoint):
      let dependencies = dependencies()
      guard let demo = dependencies.demo else { throw .pathNotFound }
      let client = AuthenticatedCaller.address(peer, request.headers, dependencies.access)
      return try await DemoHandlers(shared: self, demo: demo, client: client).response(endpoint, request)
    case .start, .verification, .resend, .check, .cancel, .redeem:
      guard let caller else { throw .pathNotFound }
      return try await VerificationHandlers(shared: self, caller: caller).response(endpoint, request)
    case .addMail, .mail, .render:
      guard let caller else { throw .pathNotFound }
      return try await MailHandlers(shared: self, caller: caller).response(endpoint, request)
    }
  }

  /// Asks `look` again until the mail's first attempt has ended, or `preference` waits no longer.
  func waitForFirstAttempt<Value, Problem: Error>(
    _ first: Value, _ preference: PreferHeader, delivery: (Value) -> MailStatus?,
    look: () async throws(Problem) -> Value
  ) async throws(Problem) -> Value {
    guard let wait = preference.wait else { return first }
    let deadline = ContinuousClock.now + .seconds(wait)
    var latest = first
    // Another process may make the attempt, and nothing tells of that here.
    var pause = Duration.milliseconds(50)
    while let delivery = delivery(latest), delivery.isAwaitingFirstAttempt {
      let left = deadline - .now
      guard left > .zero, !Task.isCancelled, !attempts.isReleased else { break }
      await attempts.wait(for: delivery.mail, atMost: min(left, pause))
      pause = min(pause * 2, .milliseconds(500))
      latest = try await look()
    }
    return latest
  }

  /// The answer that something is in the outbox now.
  func accepted(_ body: some Encodable, at path: String, _ preference: PreferHeader) -> Response {
    var response = Response.json(body, status: .accepted)
    response.headers[.location] = path
    if let wait = preference.wait { response.headers[.preferenceApplied] = "wait=\(wait)" }
    return response
  }

  /// Reports what an operator is to know of a refusal.
  func reportFailure(_ problem: VerificationError) {
    switch problem {
    case .limited(let limit, _): report(.limited(limit))
    case .storage, .keys: report(.failed(problem.description))
    // The caller's, or told when the message was read.
    case .unknown, .ended, .input, .brokenMessage, .proof, .reused: break
    }
  }

  private func readinessResponse(withDetail: Bool) async -> Response {
    struct Body: Encodable {
      let status: String
      let detail: [String: String]?

      enum CodingKeys: String, CodingKey {
        case status = "status"
        case detail = "detail"
      }
    }
    let readiness = await readiness()
    let body = Body(
      status: readiness.isReady ? "ready" : "not ready", detail: withDetail ? readiness.detail : nil)
    return .json(body, status: readiness.isReady ? .ok : .serviceUnavailable)
  }
}

extension MailStatus {
  /// Whether the first attempt has not ended yet.
  fileprivate var isAwaitingFirstAttempt: Bool { (state == .waiting || state == .sending) && outcome == nil }
}
