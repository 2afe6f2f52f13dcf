internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The handlers of `/v1/verifications` and `/v1/proofs`.
struct VerificationHandlers: RequestHandlers {
  private let call: HTTPCall
  private var shared: SharedState { call.shared }
  private var request: Request { call.request }

  init(_ call: HTTPCall) { self.call = call }

  private struct StartBody: Sendable {
    let to: String
    let purpose: String
    let languages: [String]
    let message: String?
    let variables: [String: String]
    let isNotice: Bool
    let client: String?

    init?(_ object: ObjectDecoder) {
      let to = object.required("to", as: "kim@example.com")?.addressText()
      purpose = object.purpose() ?? "sign-up"
      languages = object.languages()
      message = object.text("message")
      variables = object.variables()
      isNotice = object.flag("notice")
      client = object.clientAddress()
      guard let to else { return nil }
      self.to = to
    }
  }

  /// Starts a verification and queues its mail; answers 202.
  func start() async throws(ProblemDetails) -> Response {
    let bytes = try await request.bytes()
    let body = try request.object(bytes, StartBody.init)
    let client = call.caller.client(body.client)
    return try await sendCode(bytes) { service, key throws(VerificationError) in
      let started = try await service.start(
        to: body.to, purpose: body.purpose, languages: body.languages, message: body.message,
        variables: body.variables, notice: body.isNotice, client: client, idempotencyKey: key)
      if !started.isReplay {
        let (purpose, language) = (started.value.purpose, started.value.language)
        shared.report(.started(purpose: purpose, language: language, isNotice: body.isNotice))
      }
      return started
    }
  }

  /// Sends a new code; answers 202.
  func resend() async throws(ProblemDetails) -> Response {
    let bytes = try await request.bytes()
    // The body is optional: only a caller with a key has a client to name.
    let input = bytes.isEmpty ? nil : try request.object(bytes) { Optional($0.clientAddress()) }
    let client = call.caller.client(input ?? nil)
    return try await sendCode(bytes) { service, key throws(VerificationError) in
      let resent = try await service.resend(call.parameter, client: client, idempotencyKey: key)
      if !resent.isReplay {
        shared.report(.resent(purpose: resent.value.purpose, language: resent.value.language))
      }
      return resent
    }
  }

  /// Runs `work`, which queues a mail with a code, and answers 202: at once, or after the mail's first attempt if the
  /// request prefers to wait for it.
  private func sendCode(
    _ bytes: [UInt8],
    _ work:
      @Sendable (VerificationService, IdempotencyKey?) async throws(VerificationError) -> IdempotentResult<
        Verification
      >
  ) async throws(ProblemDetails) -> Response {
    let preference = PreferHeader(request.headers)
    let key = try request.idempotencyKey(of: call.caller, [bytes])
    return try await shared.inFlight.runExclusively(key) { () throws(ProblemDetails) in
      let sent = try await shared.withinKeylessLimit(.start, of: call.caller) { () throws(ProblemDetails) in
        let sent = try await shared.withinRate(of: call.caller, mails: 1) { () throws(ProblemDetails) in
          let sent = try await withService { service throws(VerificationError) in try await work(service, key)
          }
          return (sent, isCounted: !sent.isReplay)
        }
        return (sent, isCounted: !sent.isReplay)
      }
      let id = sent.value.id
      let verification = try await shared.waitForFirstAttempt(sent.value, preference, delivery: \.delivery) {
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

  /// Compares a code; answers 200 with the outcome, which a wrong code is as well.
  func check() async throws(ProblemDetails) -> Response {
    let input = try request.object(try await request.bytes()) { object in
      let code = object.untrimmedText("code", as: "123456")
      let client = object.clientAddress()
      return code.map { (code: $0, client: client) }
    }
    let client = call.caller.client(input.client)
    let result = try await shared.withinKeylessLimit(.check, of: call.caller) { () throws(ProblemDetails) in
      let result = try await withService { service throws(VerificationError) in
        try await service.check(call.parameter, code: input.code, client: client)
      }
      return (result, isCounted: true)
    }
    shared.report(
      .checked(result.outcome, purpose: result.purpose, language: result.language, after: result.age))
    return .json(VerificationCheckJSON(result))
  }

  /// Answers with the status of a verification.
  func show() async throws(ProblemDetails) -> Response {
    let verification = try await withService { service throws(VerificationError) in
      try await service.status(call.parameter)
    }
    return .json(VerificationJSON(verification))
  }

  /// Answers with the verifications of an address, or with those that have a reference.
  ///
  /// The query holds personal data; neither the log nor the metrics contain it.
  func find() async throws(ProblemDetails) -> Response {
    let parameters = request.uri.queryParameters
    let (addresses, references) = (parameters[values: "to"], parameters[values: "reference"])
    guard addresses.count + references.count == 1, parameters.count == 1 else {
      throw .invalid("to", "ask for either an address, as ?to=kim@example.com, or a ?reference=")
    }
    // An id permits a check, so a person behind a proxy may not look for the ids of others.
    guard call.caller.address == nil else { throw .keyNeeded }
    let found = try await shared.withinKeylessLimit(.check, of: call.caller) { () throws(ProblemDetails) in
      let found = try await withService { service throws(VerificationError) in
        if let address = addresses.first { return try await service.find(address: String(address).trimmed) }
        return try await service.find(reference: String(references.first ?? "").trimmed)
      }
      return (found, isCounted: true)
    }
    return .json(FoundVerificationsJSON(found))
  }

  /// Cancels a pending verification.
  func cancel() async throws(ProblemDetails) -> Response {
    let verification = try await withService { service throws(VerificationError) in
      try await service.cancel(call.parameter)
    }
    return .json(VerificationJSON(verification))
  }

  /// Redeems a proof, once; answers with the address that it proves.
  func redeem() async throws(ProblemDetails) -> Response {
    let input = try request.object(try await request.bytes()) { object in
      let proof = object.text("proof", as: "4QXJ….7M2Z…")
      let purpose = object.text("purpose")
      return proof.map { (proof: $0, purpose: purpose) }
    }
    let proven = try await withService { service throws(VerificationError) in
      try await service.redeem(input.proof, purpose: input.purpose)
    }
    return .json(ProvenAddressJSON(proven))
  }

  private func withService<Value: Sendable>(
    _ work: @Sendable (VerificationService) async throws(VerificationError) -> Value
  ) async throws(ProblemDetails) -> Value {
    do throws(VerificationError) {
      return try await work(shared.dependencies().verifications.acting(for: call.caller.owner))
    } catch {
      shared.reportFailure(error)
      throw ProblemDetails(error)
    }
  }
}
