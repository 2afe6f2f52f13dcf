internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The page to try the service out: does on the server what a sign-up page's server would.
struct DemoEndpoints {
  let shared: Endpoints
  let demo: DemoParts
  /// Where the request came from, for the limits by client.
  let client: String?

  /// What is proved here is worth nothing elsewhere.
  private static let purpose = "demo"
  /// How long a form waits for the first attempt on its mail, in seconds.
  private static let patience = 5

  func answer(_ endpoint: DemoEndpoint, _ request: Request) async throws(HTTPProblem) -> Response {
    switch endpoint {
    case .style: return .octets(PackageResources.verify_css, type: "text/css; charset=utf-8")
    case .script: return .octets(PackageResources.verify_js, type: "text/javascript; charset=utf-8")
    case .page: return page(.address(words(nil, request), DemoForm()))
    case .mail(let id): return try await mail(id)
    case .action(let action):
      guard request.method == .post else { return DemoEndpoints.beginning }
      let form = try await DemoForm(request)
      let words = words(form.language, request)
      switch action {
      case .start: return await start(form, words)
      case .check: return await check(form, words)
      case .resend: return await resend(form, words)
      case .cancel: return await cancel(form, words)
      case .show: return await show(form, words)
      }
    }
  }

  // MARK: What the forms ask for

  private func start(_ form: DemoForm, _ words: PageWords) async -> Response {
    let form = form.trimmed
    guard let address = form.address, !address.isEmpty else {
      return page(.address(words, form).told("no_address", .unprocessableContent))
    }
    return await answer(form, words) { service throws(VerificationProblem) in
      let once = try await service.start(
        to: address, purpose: DemoEndpoints.purpose, languages: [words.language], client: client,
        idempotencyKey: form.key(to: address))
      let verification = once.value
      if !once.isReplay {
        shared.report(
          .started(purpose: verification.purpose, language: verification.language, isNotice: false))
      }
      return view(of: try await attempted(verification), words, form)
    }
  }

  private func check(_ form: DemoForm, _ words: PageWords) async -> Response {
    await answer(form, words) { service throws(VerificationProblem) in
      let before = try await verification(form)
      let view = view(of: before, words, form)
      let code = form.code ?? ""
      guard before.state != .pending || !code.trimmed.isEmpty else {
        return view.told("no_code", .unprocessableContent)
      }
      let answer: VerificationAnswer
      do throws(VerificationProblem) {
        answer = try await service.check(before.id, code: code, client: client)
      } catch {
        shared.tell(error)
        return view.told(error)
      }
      shared.report(
        .checked(answer.outcome, purpose: answer.purpose, language: answer.language, after: answer.age))
      if let proof = answer.proof {
        // An app that keeps what is proved takes it from here, not from the form.
        let proven = try await service.redeem(proof)
        return .ended("approved", words, form, of: before, proven: proven.address.description)
      }
      let after = try await service.status(before.id)
      let next = self.view(of: after, words, form)
      guard after.state == .pending else { return next }
      // What can't be a code is no attempt.
      if after.attemptsRemaining == before.attemptsRemaining {
        return next.told("bad_code", .unprocessableContent, count: after.digits)
      }
      return next.told(
        answer.outcome == .superseded ? "earlier" : "mismatch", .unprocessableContent,
        count: answer.attemptsRemaining)
    }
  }

  private func resend(_ form: DemoForm, _ words: PageWords) async -> Response {
    await answer(form, words) { service throws(VerificationProblem) in
      let before = try await verification(form)
      guard before.state == .pending else { return view(of: before, words, form) }
      do throws(VerificationProblem) {
        let resent = try await service.resend(before.id, client: client)
        shared.report(.resent(purpose: resent.purpose, language: resent.language))
        return view(of: try await attempted(resent), words, form).noticed("resent")
      } catch {
        shared.tell(error)
        return view(of: before, words, form).told(error)
      }
    }
  }

  private func cancel(_ form: DemoForm, _ words: PageWords) async -> Response {
    await answer(form, words) { service throws(VerificationProblem) in
      let before = try await verification(form)
      if before.state == .pending { _ = try await service.cancel(before.id) }
      return .address(words, form).noticed("withdrawn")
    }
  }

  private func show(_ form: DemoForm, _ words: PageWords) async -> Response {
    guard form.verification?.isEmpty == false else { return page(.address(words, form)) }
    return await answer(form, words) { service throws(VerificationProblem) in
      view(of: try await verification(form), words, form)
    }
  }

  // MARK: Verifications

  private var service: VerificationService { shared.parts().verifications }

  /// The verification of a form; one that this page didn't start is none.
  private func verification(_ form: DemoForm) async throws(VerificationProblem) -> Verification {
    try await verification(form.verification ?? "")
  }

  private func verification(_ id: String) async throws(VerificationProblem) -> Verification {
    let verification = try await service.status(id)
    guard verification.purpose == DemoEndpoints.purpose else { throw .unknown }
    return verification
  }

  private func attempted(_ verification: Verification) async throws(VerificationProblem) -> Verification {
    try await shared.attempted(verification, Preference(wait: DemoEndpoints.patience), delivery: \.delivery) {
      () throws(VerificationProblem) in try await service.status(verification.id)
    }
  }

  private func mail(of verification: Verification) -> (MailParts, [UInt8])? {
    guard let id = verification.delivery?.mail, let octets = demo.sentMail(id) else { return nil }
    return MailParts(octets).map { ($0, octets) }
  }

  /// The HTML of a mail alone: nothing in it runs, and nothing of it comes from elsewhere.
  private func mail(_ id: String) async throws(HTTPProblem) -> Response {
    guard let verification = try? await verification(id), let html = mail(of: verification)?.0.html else {
      throw .noSuchPath
    }
    var response = Response.octets(Array(html.utf8), type: "text/html; charset=utf-8")
    response.headers[.contentSecurityPolicy] =
      "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
      + "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
    return response.guarded
  }

  // MARK: Answers

  private func words(_ language: String?, _ request: Request) -> PageWords {
    let asked = language ?? request.uri.queryParameters.get("language")
    return asked.flatMap(PageWords.inLanguage)
      ?? .accepted(request.headers[values: .acceptLanguage].joined(separator: ","), else: demo.language)
  }

  private func view(of verification: Verification, _ words: PageWords, _ form: DemoForm) -> DemoView {
    let view = DemoView.verification(verification, words, form, at: service.present())
    guard verification.state == .pending, let (mail, octets) = mail(of: verification) else { return view }
    // Another mail is at another address, or a browser would go on showing the first.
    return view.beside(mail, octets, frame: "/demo/mail/\(verification.id)?\(verification.generation)")
  }

  /// The page that `work` makes; what can't be done is told on the page that asks for an address.
  private func answer(
    _ form: DemoForm, _ words: PageWords,
    _ work: (VerificationService) async throws(VerificationProblem) -> DemoView
  ) async -> Response {
    do throws(VerificationProblem) {
      return page(try await work(service))
    } catch {
      shared.tell(error)
      return page(.address(words, form).told(error))
    }
  }

  private func page(_ view: DemoView) -> Response {
    var response = Response.octets(
      Array(view.html.utf8), type: "text/html; charset=utf-8", status: view.status)
    response.headers[.contentLanguage] = view.words.language
    response.headers[.vary] = "Accept-Language"
    if let retryAfter = view.retryAfter { response.headers[.retryAfter] = "\(retryAfter)" }
    response.headers[.contentSecurityPolicy] =
      "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
      + "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    return response.guarded
  }

  /// Whoever reloads a page that a form led to begins anew.
  private static var beginning: Response {
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
  fileprivate var guarded: Response {
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
