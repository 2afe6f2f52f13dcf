internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The page to try the service out: does on the server what a sign-up page's server would.
struct DemoHandlers {
  let shared: RequestHandlers
  let demo: DemoDependencies
  /// Where the request came from, for the limits by client.
  let client: String?

  /// What is proved here is worth nothing elsewhere.
  private static let purpose = "demo"
  /// How long a form waits for the first attempt on its mail, in seconds.
  private static let firstAttemptWait = 5

  func response(_ endpoint: DemoEndpoint, _ request: Request) async throws(ProblemDetails) -> Response {
    switch endpoint {
    case .style: return .bytes(PackageResources.verify_css, type: "text/css; charset=utf-8")
    case .script: return .bytes(PackageResources.verify_js, type: "text/javascript; charset=utf-8")
    case .page: return page(.address(strings(nil, request), DemoForm()))
    case .mail(let id): return try await mail(id)
    case .action(let action):
      guard request.method == .post else { return DemoHandlers.redirectToStart }
      let form = try await DemoForm(request)
      let strings = strings(form.language, request)
      switch action {
      case .start: return await start(form, strings)
      case .check: return await check(form, strings)
      case .resend: return await resend(form, strings)
      case .cancel: return await cancel(form, strings)
      case .show: return await show(form, strings)
      }
    }
  }

  // MARK: What the forms ask for

  private func start(_ form: DemoForm, _ strings: PageStrings) async -> Response {
    let form = form.trimmed
    guard let address = form.address, !address.isEmpty else {
      return page(.address(strings, form).withError("no_address", .unprocessableContent))
    }
    return await response(form, strings) { service throws(VerificationError) in
      let once = try await service.start(
        to: address, purpose: DemoHandlers.purpose, languages: [strings.language], client: client,
        idempotencyKey: form.key(to: address))
      let verification = once.value
      if !once.isReplay {
        shared.report(
          .started(purpose: verification.purpose, language: verification.language, isNotice: false))
      }
      return view(of: try await waitForFirstAttempt(verification), strings, form)
    }
  }

  private func check(_ form: DemoForm, _ strings: PageStrings) async -> Response {
    await response(form, strings) { service throws(VerificationError) in
      let before = try await verification(form)
      let view = view(of: before, strings, form)
      let code = form.code ?? ""
      guard before.state != .pending || !code.trimmed.isEmpty else {
        return view.withError("no_code", .unprocessableContent)
      }
      let response: VerificationCheckResult
      do throws(VerificationError) {
        response = try await service.check(before.id, code: code, client: client)
      } catch {
        shared.reportFailure(error)
        return view.withError(error)
      }
      shared.report(
        .checked(
          response.outcome, purpose: response.purpose, language: response.language, after: response.age))
      if let proof = response.proof {
        // An app that keeps what is proved takes it from here, not from the form.
        let proven = try await service.redeem(proof)
        return .ended("approved", strings, form, of: before, proven: proven.address.description)
      }
      let after = try await service.status(before.id)
      let next = self.view(of: after, strings, form)
      guard after.state == .pending else { return next }
      // What can't be a code is no attempt.
      if after.attemptsRemaining == before.attemptsRemaining {
        return next.withError("bad_code", .unprocessableContent, count: after.digits)
      }
      return next.withError(
        response.outcome == .superseded ? "earlier" : "mismatch", .unprocessableContent,
        count: response.attemptsRemaining)
    }
  }

  private func resend(_ form: DemoForm, _ strings: PageStrings) async -> Response {
    await response(form, strings) { service throws(VerificationError) in
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

  private func cancel(_ form: DemoForm, _ strings: PageStrings) async -> Response {
    await response(form, strings) { service throws(VerificationError) in
      let before = try await verification(form)
      if before.state == .pending { _ = try await service.cancel(before.id) }
      return .address(strings, form).withNotice("withdrawn")
    }
  }

  private func show(_ form: DemoForm, _ strings: PageStrings) async -> Response {
    guard form.verification?.isEmpty == false else { return page(.address(strings, form)) }
    return await response(form, strings) { service throws(VerificationError) in
      view(of: try await verification(form), strings, form)
    }
  }

  // MARK: Verifications

  private var service: VerificationService { shared.dependencies().verifications }

  /// The verification of a form; one that this page didn't start is none.
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

  /// The HTML of a mail alone: nothing in it runs, and nothing of it comes from elsewhere.
  private func mail(_ id: String) async throws(ProblemDetails) -> Response {
    guard let verification = try? await verification(id), let html = mail(of: verification)?.0.html else {
      throw .pathNotFound
    }
    var response = Response.bytes(Array(html.utf8), type: "text/html; charset=utf-8")
    response.headers[.contentSecurityPolicy] =
      "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
      + "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    return response.withSecurityHeaders
  }

  // MARK: Answers

  private func strings(_ language: String?, _ request: Request) -> PageStrings {
    let asked = language ?? request.uri.queryParameters.get("language")
    return asked.flatMap(PageStrings.inLanguage)
      ?? .accepted(request.headers[values: .acceptLanguage].joined(separator: ","), else: demo.language)
  }

  private func view(of verification: Verification, _ strings: PageStrings, _ form: DemoForm) -> DemoView {
    let view = DemoView.verification(verification, strings, form, at: service.currentTime())
    guard verification.state == .pending, let (mail, bytes) = mail(of: verification) else { return view }
    // Another mail is at another address, or a browser would go on showing the first.
    return view.withMail(mail, bytes, frame: "/demo/mail/\(verification.id)?\(verification.generation)")
  }

  /// The page that `work` makes; what can't be done is told on the page that asks for an address.
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

  /// Whoever reloads a page that a form led to begins anew.
  private static var redirectToStart: Response {
    var response = Response(status: .seeOther)
    response.headers[.location] = "/"
    return response
  }
}

extension DemoForm {
  /// The same without the blanks that a phone's keyboard adds to an address.
  fileprivate var trimmed: DemoForm {
    var form = self
    form.address = address?.trimmed
    return form
  }

  /// The form's own random text, which makes a start that is sent twice, by a reload or after an answer that was
  /// lost, one start.
  fileprivate func key(to address: String) -> IdempotencyKey? {
    // Whoever guesses another's learns of a verification.
    guard let once, once.utf8.count == DemoView.onceLength else { return nil }
    return IdempotencyKey("\(once) \(address)", client: "/demo", payload: [])
  }
}

extension Response {
  /// The same with what keeps a browser from guessing at it and from telling others of it.
  fileprivate var withSecurityHeaders: Response {
    var response = self
    response.headers[.xContentTypeOptions] = "nosniff"
    // Not "no-referrer": browsers then hide their own page's origin from it, too.
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

/// What a path of the page leads to.
enum DemoEndpoint: Sendable, Hashable {
  case page
  case style
  case script
  case action(Action)
  /// The HTML of the mail of a verification, for a frame.
  case mail(String)

  /// What a form of the page asks for.
  enum Action: String, Sendable, Hashable {
    case start = "start"
    case check = "check"
    case resend = "resend"
    case cancel = "cancel"
    case show = "show"
  }

  /// The endpoint at a path, given by its segments.
  init?(_ path: [String]) {
    switch (path.first, path.count) {
    case ("", 1): self = .page
    case ("demo", 2):
      switch path[1] {
      case "verify.css": self = .style
      case "verify.js": self = .script
      default:
        guard let action = Action(rawValue: path[1]) else { return nil }
        self = .action(action)
      }
    case ("demo", 3) where path[1] == "mail" && !path[2].isEmpty: self = .mail(path[2])
    default: return nil
    }
  }

  /// The path with names for its variable parts.
  var route: String {
    switch self {
    case .page: "/"
    case .style: "/demo/verify.css"
    case .script: "/demo/verify.js"
    case .action(let action): "/demo/\(action.rawValue)"
    case .mail: "/demo/mail/{id}"
    }
  }
}

/// What the page to try the service out needs beside the service.
public struct DemoDependencies: Sendable {
  /// The language of readers whose own the page isn't in: `ko` or `en`.
  public var language: String
  /// The bytes of the mail of an id as its transport left them, where that is somewhere to be read.
  public var sentMail: @Sendable (String) -> [UInt8]?

  /// What the page needs.
  public init(language: String, sentMail: @escaping @Sendable (String) -> [UInt8]?) {
    self.language = language
    self.sentMail = sentMail
  }
}
