internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The endpoints of mail and of the messages it is made of.
struct MailHandlers {
  let shared: RequestHandlers
  let caller: AuthenticatedCaller

  func response(_ endpoint: APIEndpoint, _ request: Request) async throws(ProblemDetails) -> Response {
    switch endpoint {
    case .addMail: return try await add(request)
    case .mail(let id):
      guard let delivery = try await status(id) else { throw .mailNotFound }
      return .json(MailBody(delivery))
    case .render(let name): return try await render(name, request)
    default: throw .pathNotFound
    }
  }

  private struct AddBody: Sendable {
    let to: [Mailbox]
    let message: String
    let languages: [String]
    let variables: [String: String]

    init?(_ object: ObjectDecoder) {
      let to = object.mailboxes("to")
      let message = object.text("message", as: "welcome")
      languages = object.texts("language")
      variables = object.variables()
      guard let to, let message else { return nil }
      self.to = to
      self.message = message
    }
  }

  private func add(_ request: Request) async throws(ProblemDetails) -> Response {
    let bytes = try await request.bytes()
    let body = try request.object(bytes, AddBody.init)
    let preference = PreferHeader(request.headers)
    let key = try request.idempotencyKey(of: caller, bytes)
    return try await shared.inFlight.runExclusively(key) { () throws(ProblemDetails) in
      let dependencies = shared.dependencies()
      let composed: ComposedMail
      do throws(MessageComposerError) {
        composed = try dependencies.composer.mail(
          of: body.message, to: body.to, languages: body.languages, variables: body.variables)
      } catch {
        throw ProblemDetails(error, named: "message")
      }
      let once: IdempotentResult<MailStatus>
      do throws(MailSubmissionError) {
        let notAfter = composed.lifetime.map { dependencies.verifications.currentTime() + $0 }
        once = try await dependencies.submission.add(
          composed.mail, lane: composed.lane, notAfter: notAfter, unknown: composed.unknown,
          idempotencyKey: key)
      } catch {
        throw problemDetails(error)
      }
      let id = once.value.mail
      let delivery = try await shared.waitForFirstAttempt(once.value, preference, delivery: { $0 }) {
        () throws(ProblemDetails) in try await status(id) ?? once.value
      }
      return shared.accepted(MailBody(delivery), at: "/v1/mails/\(id)", preference)
    }
  }

  private func status(_ id: String) async throws(ProblemDetails) -> MailStatus? {
    do throws(MailSubmissionError) {
      return try await shared.dependencies().submission.status(id)
    } catch {
      throw problemDetails(error)
    }
  }

  private func problemDetails(_ problem: MailSubmissionError) -> ProblemDetails {
    if case .storage(let problem) = problem { shared.report(.failed(problem.description)) }
    return ProblemDetails(problem)
  }

  private struct RenderBody: Sendable {
    var languages: [String] = []
    var variables: [String: String] = [:]
  }

  private struct Rendered: Encodable {
    let message: String
    let language: String
    let subject: String
    let text: String
    let html: String

    enum CodingKeys: String, CodingKey {
      case message = "message"
      case language = "language"
      case subject = "subject"
      case text = "text"
      case html = "html"
    }
  }

  private func render(_ name: String, _ request: Request) async throws(ProblemDetails) -> Response {
    let bytes = try await request.bytes()
    // Nothing needs to be said.
    let body =
      bytes.isEmpty
      ? RenderBody()
      : try request.object(bytes) {
        RenderBody(languages: $0.texts("language"), variables: $0.variables())
      }
    do throws(MessageComposerError) {
      let preview = try shared.dependencies().composer.preview(
        of: name, languages: body.languages, variables: body.variables)
      return .json(
        Rendered(
          message: name, language: preview.language, subject: preview.subject, text: preview.text,
          html: preview.html))
    } catch {
      throw ProblemDetails(error, named: nil)
    }
  }
}

/// A mail as the service answers it.
private struct MailBody: Encodable {
  let id: String
  let status: String
  let outcome: OrNull<String>
  let reply: OrNull<String>

  enum CodingKeys: String, CodingKey {
    case id = "id"
    case status = "status"
    case outcome = "outcome"
    case reply = "reply"
  }

  init(_ delivery: MailStatus) {
    id = delivery.mail
    status = delivery.state.rawValue
    outcome = OrNull(delivery.outcome)
    reply = OrNull(delivery.status)
  }
}

extension ObjectDecoder {
  /// The most recipients that one mail may have.
  private static let mailboxLimit = 100

  /// One mailbox or a list of them, at least one.
  fileprivate func mailboxes(_ key: String) -> [Mailbox]? {
    guard let value = required(key, as: "kim@example.com") else { return nil }
    var texts = [value]
    if case .array = value.node.content { texts = value.elements() ?? [] }
    guard 1...ObjectDecoder.mailboxLimit ~= texts.count else {
      value.report("expected 1 to \(ObjectDecoder.mailboxLimit) addresses")
      return nil
    }
    let mailboxes = texts.compactMap { element -> Mailbox? in
      guard let text = element.text() else { return nil }
      do throws(MailError) {
        return try Mailbox(text)
      } catch {
        element.report(error.message, remedy: error.remedy)
        return nil
      }
    }
    return mailboxes.count == texts.count ? mailboxes : nil
  }
}
