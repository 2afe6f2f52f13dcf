internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PabalCore

/// The handlers of the demo page, which does on the server what the server of a sign-up page would do.
struct DemoHandlers: RequestHandlers {
  private let call: HTTPCall
  private let demo: DemoDependencies
  private var shared: SharedState { call.shared }
  private var request: Request { call.request }
  /// The address that the request came from, for the limits per client.
  private var client: String? { call.caller.address }

  /// The purpose of the page's verifications: their proofs are useless to an app, which asks for its own purpose.
  private static let purpose = "demo"
  /// How long a form waits for its mail's first attempt, in seconds.
  private static let firstAttemptWait = 5

  /// Throws 404 if the service has no demo page.
  init(_ call: HTTPCall) throws(ProblemDetails) {
    guard let demo = call.shared.dependencies().demo else { throw .pathNotFound }
    self.call = call
    self.demo = demo
  }

  /// Answers with the page that asks for an address.
  func page() -> Response { page(.address(strings(nil), DemoForm())) }

  /// Answers with the style sheet.
  func style() -> Response { .constant(DemoHandlers.styleSheet, type: "text/css; charset=utf-8") }

  /// Answers with the script.
  func script() -> Response { .constant(DemoHandlers.script, type: "text/javascript; charset=utf-8") }

  private static let styleSheet = ByteBuffer(bytes: PackageResources.verify_css)
  private static let script = ByteBuffer(bytes: PackageResources.verify_js)

  /// Answers with the HTML part of a verification's mail, for a frame; no scripts run in it, and nothing is loaded
  /// from elsewhere.
  func mail() async throws(ProblemDetails) -> Response {
    guard let verification = try? await verification(call.parameter),
      let html = mail(of: verification)?.0.html
    else {
      throw .pathNotFound
    }
    var response = Response.bytes(Array(html.utf8), type: "text/html; charset=utf-8")
    response.headers[.contentSecurityPolicy] =
      "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
      + "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    return response.withSecurityHeaders
  }

  // MARK: Forms

  /// Starts a verification and asks for its code.
  func start() async throws(ProblemDetails) -> Response {
    let (typed, strings) = try await form()
    let form = typed.trimmed
    guard let address = form.address, !address.isEmpty else {
      return page(.address(strings, form).withError("no_address", .unprocessableContent))
    }
    return await response(form, strings) { service throws(VerificationError) in
      let started = try await service.start(
        to: address, purpose: DemoHandlers.purpose, languages: [strings.language], client: client,
        idempotencyKey: form.key(to: address))
      let verification = started.value
      if !started.isReplay {
        shared.report(
          .started(purpose: verification.purpose, language: verification.language, isNotice: false))
      }
      return view(of: try await waitForFirstAttempt(verification), strings, form)
    }
  }

  /// Checks a code and, if it is right, redeems the proof.
  func check() async throws(ProblemDetails) -> Response {
    let (form, strings) = try await form()
    return await response(form, strings) { service throws(VerificationError) in
      let before = try await verification(form)
      let view = view(of: before, strings, form)
      let code = form.code ?? ""
      guard before.state != .pending || !code.trimmed.isEmpty else {
        return view.withError("no_code", .unprocessableContent)
      }
      let result: VerificationCheckResult
      do throws(VerificationError) {
        result = try await service.check(before.id, code: code, client: client)
      } catch {
        shared.reportFailure(error)
        return view.withError(error)
      }
      shared.report(
        .checked(result.outcome, purpose: result.purpose, language: result.language, after: result.age))
      if let proof = result.proof {
        // An app stores this address, which is proven, and not the one in the form.
        let proven = try await service.redeem(proof)
        return .ended("approved", strings, form, of: before, proven: proven.address.description)
      }
      let after = try await service.status(before.id)
      let next = self.view(of: after, strings, form)
      guard after.state == .pending else { return next }
      // The number of attempts is unchanged if the input can't be a code.
      if after.attemptsRemaining == before.attemptsRemaining {
        return next.withError("bad_code", .unprocessableContent, count: after.digits)
      }
      return next.withError(
        result.outcome == .superseded ? "earlier" : "mismatch", .unprocessableContent,
        count: result.attemptsRemaining)
    }
  }

  /// Sends a new code.
  func resend() async throws(ProblemDetails) -> Response {
    let (form, strings) = try await form()
    return await response(form, strings) { service throws(VerificationError) in
      let before = try await verification(form)
      guard before.state == .pending else { return view(of: before, strings, form) }
      do throws(VerificationError) {
        let resent = try await service.resend(before.id, client: client)
        shared.report(.resent(purpose: resent.purpose, language: resent.language))
        return view(of: try await waitForFirstAttempt(resent), strings, form).withNotice("resent")
      } catch {
        shared.reportFailure(error)
        return view(of: before, strings, form).withError(error)
      }
    }
  }

  /// Cancels the verification and asks for an address again.
  func cancel() async throws(ProblemDetails) -> Response {
    let (form, strings) = try await form()
    return await response(form, strings) { service throws(VerificationError) in
      let before = try await verification(form)
      if before.state == .pending { _ = try await service.cancel(before.id) }
      return .address(strings, form).withNotice("withdrawn")
    }
  }

  /// Shows the verification as it is now.
  func show() async throws(ProblemDetails) -> Response {
    let (form, strings) = try await form()
    guard form.verification?.isEmpty == false else { return page(.address(strings, form)) }
    return await response(form, strings) { service throws(VerificationError) in
      view(of: try await verification(form), strings, form)
    }
  }

  /// Redirects the reload of a page that a form led to.
  func redirectToStart() -> Response {
    var response = Response(status: .seeOther)
    response.headers[.location] = "/"
    return response
  }

  // MARK: Verifications

  private var service: VerificationService { shared.dependencies().verifications.acting(for: .page) }

  /// Returns the verification of a form; throws `.unknown` if it wasn't started by this page.
  private func verification(_ form: DemoForm) async throws(VerificationError) -> Verification {
    try await verification(form.verification ?? "")
  }

  private func verification(_ id: String) async throws(VerificationError) -> Verification {
    let verification = try await service.status(id)
    guard verification.purpose == DemoHandlers.purpose else { throw .unknown }
    return verification
  }

  private func waitForFirstAttempt(_ verification: Verification) async throws(VerificationError)
    -> Verification
  {
    try await shared.waitForFirstAttempt(
      verification, PreferHeader(wait: DemoHandlers.firstAttemptWait), delivery: \.delivery
    ) {
      () throws(VerificationError) in try await service.status(verification.id)
    }
  }

  private func mail(of verification: Verification) -> (DecodedMail, [UInt8])? {
    guard let id = verification.delivery?.mail, let bytes = demo.sentMail(id) else { return nil }
    return DecodedMail(bytes).map { ($0, bytes) }
  }

  // MARK: Responses

  /// Reads the form of the request; throws if the request doesn't have one from this page.
  private func form() async throws(ProblemDetails) -> (DemoForm, PageStrings) {
    let form = try await DemoForm(request)
    return (form, strings(form.language))
  }

  private func strings(_ language: String?) -> PageStrings {
    let requested = language ?? request.uri.queryParameters.get("language")
    return requested.flatMap(PageStrings.inLanguage)
      ?? .accepted(request.headers[values: .acceptLanguage].joined(separator: ","), else: demo.language)
  }

  private func view(of verification: Verification, _ strings: PageStrings, _ form: DemoForm) -> DemoView {
    let view = DemoView.verification(verification, strings, form, at: service.currentTime())
    guard verification.state == .pending, let (mail, bytes) = mail(of: verification) else { return view }
    // The query makes each mail a URL of its own; otherwise a browser would keep showing the first.
    return view.withMail(mail, bytes, frame: "/demo/mail/\(verification.id)?\(verification.generation)")
  }

  /// Answers with the page that `work` returns, or, if it throws, with the start page and the error.
  private func response(
    _ form: DemoForm, _ strings: PageStrings,
    _ work: (VerificationService) async throws(VerificationError) -> DemoView
  ) async -> Response {
    do throws(VerificationError) {
      return page(try await work(service))
    } catch {
      shared.reportFailure(error)
      return page(.address(strings, form).withError(error))
    }
  }

  private func page(_ view: DemoView) -> Response {
    var response = Response.bytes(
      Array(view.html.utf8), type: "text/html; charset=utf-8", status: view.status)
    response.headers[.contentLanguage] = view.strings.language
    response.headers[.vary] = "Accept-Language"
    if let retryAfter = view.retryAfter { response.headers[.retryAfter] = "\(retryAfter)" }
    response.headers[.contentSecurityPolicy] =
      "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
      + "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    return response.withSecurityHeaders
  }
}

extension DemoForm {
  /// The form with the address trimmed, because phone keyboards append a space.
  fileprivate var trimmed: DemoForm {
    var form = self
    form.address = address?.trimmed
    return form
  }

  /// The idempotency key of a start, made from the form's random number, so that a form that is sent twice (by a reload,
  /// or after a lost response) starts one verification; `nil` if the number doesn't have the expected length.
  fileprivate func key(to address: String) -> IdempotencyKey? {
    // A number that can be guessed would reveal another person's verification.
    guard let once, once.utf8.count == DemoView.onceLength else { return nil }
    return IdempotencyKey("\(once) \(address)", client: "/demo", payload: [])
  }
}

extension Response {
  /// The response with headers against content sniffing and against leaking the URL to other sites.
  fileprivate var withSecurityHeaders: Response {
    var response = self
    response.headers[.xContentTypeOptions] = "nosniff"
    // Not "no-referrer", because browsers then send `Origin: null` with the page's own forms.
    response.headers[.referrerPolicy] = "same-origin"
    return response
  }
}

extension HTTPField.Name {
  fileprivate static let referrerPolicy: HTTPField.Name = {
    guard let name = HTTPField.Name("Referrer-Policy") else { preconditionFailure("it is a token") }
    return name
  }()
}

/// What the demo page needs besides the service.
public struct DemoDependencies: Sendable {
  /// The language for readers whose own language the page doesn't have: `ko` or `en`.
  public var language: String
  /// Returns the bytes of a mail, by its id, as the transport wrote them; `nil` if they can't be read.
  public var sentMail: @Sendable (String) -> [UInt8]?

  /// Creates the dependencies.
  public init(language: String, sentMail: @escaping @Sendable (String) -> [UInt8]?) {
    self.language = language
    self.sentMail = sentMail
  }
}
