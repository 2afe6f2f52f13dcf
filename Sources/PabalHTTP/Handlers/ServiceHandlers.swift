internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PabalCore

/// The handlers that say something about the service itself.
struct ServiceHandlers: RequestHandlers {
  private let call: HTTPCall

  init(_ call: HTTPCall) { self.call = call }

  /// Answers that the process is alive.
  func health() -> Response { .json(["status": "ok"]) }

  /// Answers whether a start of a verification would succeed, with details for callers that may use the API.
  func readiness() async -> Response {
    // A load balancer without a key needs only the status, and other callers without one must not learn more.
    let isClient = (try? call.shared.caller(of: call.request, peer: call.peer)) != nil
    let readiness = await call.shared.readiness()
    let body = ReadinessBody(
      status: readiness.status.rawValue, detail: isClient ? readiness.detail : nil)
    return .json(body, status: readiness.status == .notReady ? .serviceUnavailable : .ok)
  }

  /// Answers with the metrics; throws 404 if the service has none.
  func metrics() async throws(ProblemDetails) -> Response {
    guard let metrics = call.shared.metrics else { throw .pathNotFound }
    return .bytes(Array(await metrics().text.utf8), type: MetricsText.type)
  }

  /// Answers with the OpenAPI document.
  func document() -> Response { .constant(ServiceHandlers.openAPI, type: "application/json") }

  private static let openAPI = ByteBuffer(bytes: PackageResources.openapi_json)
}

private struct ReadinessBody: Encodable {
  let status: String
  let detail: [String: String]?

  enum CodingKeys: String, CodingKey {
    case status = "status"
    case detail = "detail"
  }
}
