internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The endpoints of verifications and their proofs.
struct VerificationHandlers {
  let shared: RequestHandlers
  let caller: AuthenticatedCaller

  func response(_ endpoint: APIEndpoint, _ request: Request) async throws(ProblemDetails) -> Response {
    switch endpoint {
    case .start: return try await start(request)
    case .resend(let id): return try await resend(id, request)
    case .check(let id): return try await check(id, request)
    case .verification(let id):
      return .json(
        VerificationJSON(
          try await withService { service throws(VerificationError) in
            try await service.status(id)
          }))
    case .cancel(let id):
      return .json(
        VerificationJSON(
          try await withService { service throws(VerificationError) in
            try await service.cancel(id)
          }))
    case .redeem: return try await redeem(request)
    default: throw .pathNotFound
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

    init?(_ object: ObjectDecoder) {
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

  private func start(_ request: Request) async throws(ProblemDetails) -> Response {
    let bytes = try await request.bytes()
    let body = try request.object(bytes, StartBody.init)
    let client = caller.client(body.client)
    return try await sendCode(request, bytes) { service, key throws(VerificationError) in
      let once = try await service.start(
        to: body.to, purpose: body.purpose, languages: body.languages, message: body.message,
        variables: body.variables, notice: body.isNotice, client: client, idempotencyKey: key)
      if !once.isReplay {
        let (purpose, language) = (once.value.purpose, once.value.language)
        shared.report(.started(purpose: purpose, language: language, isNotice: body.isNotice))
      }
      return once
    }
  }

  private func resend(_ id: String, _ request: Request) async throws(ProblemDetails) -> Response {
    let bytes = try await request.bytes()
    // Nothing needs to be said, and most say nothing.
    let input = bytes.isEmpty ? nil : try request.object(bytes) { Optional($0.clientAddress()) }
    let client = caller.client(input ?? nil)
    return try await sendCode(request, bytes) { service, key throws(VerificationError) in
      let once = try await service.resend(id, client: client, idempotencyKey: key)
      if !once.isReplay {
        shared.report(.resent(purpose: once.value.purpose, language: once.value.language))
      }
      return once
    }
  }

  /// Does what sends a code; answers when it is in the outbox or, where the request prefers, when the mail's first
  /// attempt has ended.
  private func sendCode(
    _ request: Request, _ bytes: [UInt8],
    _ work:
      @Sendable (VerificationService, IdempotencyKey?) async throws(VerificationError) -> IdempotentResult<
        Verification
      >
  ) async throws(ProblemDetails) -> Response {
    let preference = PreferHeader(request.headers)
    let key = try request.idempotencyKey(of: caller, bytes)
    return try await shared.inFlight.runExclusively(key) { () throws(ProblemDetails) in
      let once = try await withService { service throws(VerificationError) in try await work(service, key) }
      let id = once.value.id
      let verification = try await shared.waitForFirstAttempt(once.value, preference, delivery: \.delivery) {
        () throws(ProblemDetails) in
        try await withService { service throws(VerificationError) in try await service.status(id) }
      }
      var response = shared.accepted(
        VerificationJSON(verification), at: "/v1/verifications/\(id)", preference)
      if let resend = verification.resendAt {
        let seconds = max(resend - shared.dependencies().verifications.currentTime(), .zero).wholeSecondsUp
        response.headers[.rateLimit] = "\"cooldown\";r=\(seconds > 0 ? 0 : 1);t=\(seconds)"
      }
      return response
    }
  }

  private func check(_ id: String, _ request: Request) async throws(ProblemDetails) -> Response {
    let input = try request.object(try await request.bytes()) { object in
      let code = object.untrimmedText("code", as: "123456")
      let client = object.clientAddress()
      return code.map { (code: $0, client: client) }
    }
    let client = caller.client(input.client)
    let response = try await withService { service throws(VerificationError) in
      try await service.check(id, code: input.code, client: client)
    }
    shared.report(
      .checked(
        response.outcome, purpose: response.purpose, language: response.language, after: response.age))
    return .json(VerificationCheckJSON(response))
  }

  private func redeem(_ request: Request) async throws(ProblemDetails) -> Response {
    let proof = try request.object(try await request.bytes()) { $0.text("proof", as: "4QXJ….7M2Z…") }
    let proven = try await withService { service throws(VerificationError) in try await service.redeem(proof)
    }
    return .json(ProvenAddressJSON(proven))
  }

  private func withService<Value: Sendable>(
    _ work: @Sendable (VerificationService) async throws(VerificationError) -> Value
  ) async throws(ProblemDetails) -> Value {
    do throws(VerificationError) {
      return try await work(shared.dependencies().verifications)
    } catch {
      shared.reportFailure(error)
      throw ProblemDetails(error)
    }
  }
}
