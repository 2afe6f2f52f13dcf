internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// What the endpoints share.
struct Endpoints: Sendable {
  let parts: @Sendable () -> HTTPParts
  let readiness: @Sendable () async -> Readiness
  let metrics: (@Sendable () async -> MetricsText)?
  let attempts: FirstAttempts
  let inFlight = RequestsInFlight()
  let report: @Sendable (HTTPEvent) -> Void

  /// The answer to a request, whose method is the endpoint's.
  func answer(
    _ endpoint: Endpoint, _ request: Request, _ caller: Caller?, peer: String?
  ) async throws(HTTPProblem) -> Response {
    switch endpoint {
    case .health: return .json(["status": "ok"])
    case .readiness:
      // A load balancer without a key needs the status alone, and nobody else without one needs more.
      let isKnown = (try? Caller(request.headers, peer: peer, parts().access)) != nil
      return await ready(withDetail: isKnown)
    case .metrics:
      guard let metrics else { throw .noSuchPath }
      return .octets(Array(await metrics().text.utf8), type: MetricsText.type)
    case .document:
      return .octets(PackageResources.openapi_json, type: "application/json")
    case .demo(let endpoint):
      let parts = parts()
      guard let demo = parts.demo else { throw .noSuchPath }
      let client = Caller.address(peer, request.headers, parts.access)
      return try await DemoEndpoints(shared: self, demo: demo, client: client).answer(endpoint, request)
    case .start, .verification, .resend, .check, .cancel, .redeem:
      guard let caller else { throw .noSuchPath }
      return try await VerificationEndpoints(shared: self, caller: caller).answer(endpoint, request)
    case .addMail, .mail, .render:
      guard let caller else { throw .noSuchPath }
      return try await MailEndpoints(shared: self, caller: caller).answer(endpoint, request)
    }
  }

  /// Asks `look` again until the mail's first attempt has ended, or `preference` waits no longer.
  func attempted<Value, Problem: Error>(
    _ first: Value, _ preference: Preference, delivery: (Value) -> VerificationDelivery?,
    look: () async throws(Problem) -> Value
  ) async throws(Problem) -> Value {
    guard let wait = preference.wait else { return first }
    let deadline = ContinuousClock.now + .seconds(wait)
    var latest = first
    // Another process may make the attempt, and nothing tells of that here.
    var pause = Duration.milliseconds(50)
    while let delivery = delivery(latest), delivery.isUntried {
      let left = deadline - .now
      guard left > .zero, !Task.isCancelled, !attempts.isReleased else { break }
      await attempts.wait(for: delivery.mail, atMost: min(left, pause))
      pause = min(pause * 2, .milliseconds(500))
      latest = try await look()
    }
    return latest
  }

  /// The answer that something is in the outbox now.
  func accepted(_ body: some Encodable, at path: String, _ preference: Preference) -> Response {
    var response = Response.json(body, status: .accepted)
    response.headers[.location] = path
    if let wait = preference.wait { response.headers[.preferenceApplied] = "wait=\(wait)" }
    return response
  }

  /// Reports what an operator is to know of a refusal.
  func tell(_ problem: VerificationProblem) {
    switch problem {
    case .limited(let limit, _): report(.limited(limit))
    case .storage, .keys: report(.failed(problem.description))
    // The caller's, or told when the message was read.
    case .unknown, .ended, .input, .words, .proof, .reused: break
    }
  }

  private func ready(withDetail: Bool) async -> Response {
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

extension VerificationDelivery {
  /// Whether the first attempt has not ended yet.
  fileprivate var isUntried: Bool { (state == .waiting || state == .sending) && outcome == nil }
}
