internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The endpoints of verifications and their proofs.
struct VerificationEndpoints {
  let shared: Endpoints
  let caller: Caller

  func answer(_ endpoint: Endpoint, _ request: Request) async throws(HTTPProblem) -> Response {
    switch endpoint {
    case .start: return try await start(request)
    case .resend(let id): return try await resend(id, request)
    case .check(let id): return try await check(id, request)
    case .verification(let id):
      return .json(
        VerificationBody(
          try await asking { service throws(VerificationProblem) in
            try await service.status(id)
          }))
    case .cancel(let id):
      return .json(
        VerificationBody(
          try await asking { service throws(VerificationProblem) in
            try await service.cancel(id)
          }))
    case .redeem: return try await redeem(request)
    default: throw .noSuchPath
    }
  }

  private struct StartBody: Sendable {
    let to: String
    let purpose: String
    let languages: [String]
    let message: String?
    let variables: [String: String]
    let isNotice: Bool
    let client: String?

    init?(_ object: ConfigurationObject) {
      let to = object.text("to", as: "kim@example.com")
      purpose = object.text("purpose") ?? "sign-up"
      languages = object.texts("language")
      message = object.text("message")
      variables = object.variables()
      isNotice = object.flag("notice")
      client = object.clientAddress()
      guard let to else { return nil }
      self.to = to
    }
  }

  private func start(_ request: Request) async throws(HTTPProblem) -> Response {
    let body = try request.object(try await request.octets(), StartBody.init)
    let client = caller.client(body.client)
    return try await sending(request) { service throws(VerificationProblem) in
      let verification = try await service.start(
        to: body.to, purpose: body.purpose, languages: body.languages, message: body.message,
        variables: body.variables, notice: body.isNotice, client: client)
      shared.report(
        .started(
          purpose: verification.purpose, language: verification.language, isNotice: body.isNotice))
      return verification
    }
  }

  private func resend(_ id: String, _ request: Request) async throws(HTTPProblem) -> Response {
    let octets = try await request.octets()
    // Nothing needs to be said, and most say nothing.
    let said = octets.isEmpty ? nil : try request.object(octets) { Optional($0.clientAddress()) }
    let client = caller.client(said ?? nil)
    return try await sending(request) { service throws(VerificationProblem) in
      let verification = try await service.resend(id, client: client)
      shared.report(.resent(purpose: verification.purpose, language: verification.language))
      return verification
    }
  }

  /// Does what sends a code; answers when it is in the outbox or, where the request prefers, when the mail's first
  /// attempt has ended.
  private func sending(
    _ request: Request,
    _ work: @Sendable (VerificationService) async throws(VerificationProblem) -> Verification
  ) async throws(HTTPProblem) -> Response {
    let key = try request.headers.idempotencyKey()
    let preference = Preference(request.headers)
    let place = key.map { "\(caller.name ?? "") \(request.uri.path) \($0)" }
    return try await shared.inFlight.alone(place) { () throws(HTTPProblem) in
      var verification = try await asking(work)
      if let wait = preference.wait {
        verification = try await attempted(verification, within: .seconds(wait))
      }
      var response = Response.json(VerificationBody(verification), status: .accepted)
      response.headers[.location] = "/v1/verifications/\(verification.id)"
      if let wait = preference.wait { response.headers[.preferenceApplied] = "wait=\(wait)" }
      if let resend = verification.resendAt {
        let seconds = max(resend - shared.parts().verifications.present(), .zero).wholeSecondsUp
        response.headers[.rateLimit] = "\"cooldown\";r=\(seconds > 0 ? 0 : 1);t=\(seconds)"
      }
      return response
    }
  }

  /// The verification once the first attempt on its mail has ended, or as it is when the time is over.
  private func attempted(
    _ verification: Verification, within duration: Duration
  ) async throws(HTTPProblem) -> Verification {
    let deadline = ContinuousClock.now + duration
    var verification = verification
    // Another process may make the attempt, and nothing tells of that here.
    var pause = Duration.milliseconds(50)
    while let delivery = verification.delivery, delivery.isUntried {
      let left = deadline - .now
      guard left > .zero, !Task.isCancelled else { break }
      await shared.attempts.wait(for: delivery.mail, atMost: min(left, pause))
      pause = min(pause * 2, .milliseconds(500))
      let id = verification.id
      verification = try await asking { service throws(VerificationProblem) in try await service.status(id) }
    }
    return verification
  }

  private struct CheckBody: Encodable {
    let outcome: String
    let attempts: Int
    let proof: OrNull<String>

    enum CodingKeys: String, CodingKey {
      case outcome, proof
      case attempts = "attempts_remaining"
    }
  }

  private func check(_ id: String, _ request: Request) async throws(HTTPProblem) -> Response {
    let said = try request.object(try await request.octets()) { object in
      let code = object.text("code", as: "123456")
      let client = object.clientAddress()
      return code.map { (code: $0, client: client) }
    }
    let client = caller.client(said.client)
    let answer = try await asking { service throws(VerificationProblem) in
      try await service.check(id, code: said.code, client: client)
    }
    shared.report(
      .checked(
        answer.outcome, purpose: answer.purpose, language: answer.language, after: answer.age))
    return .json(
      CheckBody(
        outcome: answer.outcome.rawValue, attempts: answer.attemptsRemaining, proof: OrNull(answer.proof)))
  }

  private struct ProofBody: Encodable {
    let id: String
    let purpose: String
    let address: String
    let approved: String

    enum CodingKeys: String, CodingKey {
      case id, purpose, address
      case approved = "approved_at"
    }
  }

  private func redeem(_ request: Request) async throws(HTTPProblem) -> Response {
    let proof = try request.object(try await request.octets()) { $0.text("proof", as: "4QXJ….7M2Z…") }
    let proven = try await asking { service throws(VerificationProblem) in try await service.redeem(proof) }
    return .json(
      ProofBody(
        id: proven.id, purpose: proven.purpose, address: proven.address.description,
        approved: proven.approved.text))
  }

  private func asking<Value: Sendable>(
    _ work: @Sendable (VerificationService) async throws(VerificationProblem) -> Value
  ) async throws(HTTPProblem) -> Value {
    do throws(VerificationProblem) {
      return try await work(shared.parts().verifications)
    } catch {
      if case .limited(let limit, _) = error { shared.report(.limited(limit)) }
      throw HTTPProblem(error)
    }
  }
}

extension VerificationDelivery {
  /// Whether the first attempt has not ended yet.
  fileprivate var isUntried: Bool { (state == .waiting || state == .sending) && outcome == nil }
}
