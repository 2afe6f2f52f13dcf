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
    _ endpoint: Endpoint, _ request: Request, _ caller: Caller?
  ) async throws(HTTPProblem) -> Response {
    switch endpoint {
    case .health: return .json(["status": "ok"])
    case .readiness: return await ready()
    case .metrics:
      guard let metrics else { throw .noSuchPath }
      return .octets(Array(await metrics().text.utf8), type: MetricsText.type)
    case .document:
      return .octets(PackageResources.openapi_json, type: "application/json")
    case .start, .verification, .resend, .check, .cancel, .redeem:
      guard let caller else { throw .noSuchPath }
      return try await VerificationEndpoints(shared: self, caller: caller).answer(endpoint, request)
    }
  }

  private func ready() async -> Response {
    struct Body: Encodable {
      let status: String
      let detail: [String: String]
    }
    let readiness = await readiness()
    let body = Body(status: readiness.isReady ? "ready" : "not ready", detail: readiness.detail)
    return .json(body, status: readiness.isReady ? .ok : .serviceUnavailable)
  }
}
