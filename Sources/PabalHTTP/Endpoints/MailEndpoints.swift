internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The endpoints of mail and of the messages it is made of.
struct MailEndpoints {
  let shared: Endpoints
  let caller: Caller

  func answer(_ endpoint: Endpoint, _ request: Request) async throws(HTTPProblem) -> Response {
    switch endpoint {
    case .addMail: return try await add(request)
    case .mail(let id):
      guard let delivery = try await status(id) else { throw .noSuchMail }
      return .json(MailBody(delivery))
    case .render(let name): return try await render(name, request)
    default: throw .noSuchPath
    }
  }

  private struct AddBody: Sendable {
    let to: [Mailbox]
    let message: String
    let languages: [String]
    let variables: [String: String]

    init?(_ object: ConfigurationObject) {
      let to = object.mailboxes("to")
      let message = object.text("message", as: "welcome")
      languages = object.texts("language")
      variables = object.variables()
      guard let to, let message else { return nil }
      self.to = to
      self.message = message
    }
  }

  private func add(_ request: Request) async throws(HTTPProblem) -> Response {
    let octets = try await request.octets()
    let body = try request.object(octets, AddBody.init)
    let preference = Preference(request.headers)
    let key = try request.idempotencyKey(of: caller, octets)
    return try await shared.inFlight.alone(key) { () throws(HTTPProblem) in
      let parts = shared.parts()
      let made: MessageMail
      do throws(MessageProblem) {
        made = try parts.words.mail(
          of: body.message, to: body.to, languages: body.languages, variables: body.variables)
      } catch {
        throw HTTPProblem(error, named: "message")
      }
      let once: Once<VerificationDelivery>
      do throws(FrontDoorProblem) {
        let notAfter = made.lifetime.map { parts.verifications.present() + $0 }
        once = try await parts.door.add(
          made.mail, lane: made.lane, notAfter: notAfter, unknown: made.unknown, idempotencyKey: key)
      } catch {
        throw refusal(error)
      }
      let id = once.value.mail
      let delivery = try await shared.attempted(once.value, preference, delivery: { $0 }) {
        () throws(HTTPProblem) in try await status(id) ?? once.value
      }
      return shared.accepted(MailBody(delivery), at: "/v1/mails/\(id)", preference)
    }
  }

  private func status(_ id: String) async throws(HTTPProblem) -> VerificationDelivery? {
    do throws(FrontDoorProblem) {
      return try await shared.parts().door.status(id)
    } catch {
      throw refusal(error)
    }
  }

  private func refusal(_ problem: FrontDoorProblem) -> HTTPProblem {
    if case .storage(let problem) = problem { shared.report(.failed(problem.description)) }
    return HTTPProblem(problem)
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

  private func render(_ name: String, _ request: Request) async throws(HTTPProblem) -> Response {
    let octets = try await request.octets()
    // Nothing needs to be said.
    let body =
      octets.isEmpty
      ? RenderBody()
      : try request.object(octets) {
        RenderBody(languages: $0.texts("language"), variables: $0.variables())
      }
    do throws(MessageProblem) {
      let preview = try shared.parts().words.preview(
        of: name, languages: body.languages, variables: body.variables)
      return .json(
        Rendered(
          message: name, language: preview.language, subject: preview.subject, text: preview.text,
          html: preview.html))
    } catch {
      throw HTTPProblem(error, named: nil)
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

  init(_ delivery: VerificationDelivery) {
    id = delivery.mail
    status = delivery.state.rawValue
    outcome = OrNull(delivery.outcome)
    reply = OrNull(delivery.status)
  }
}

extension ConfigurationObject {
  /// The most recipients that one mail may have.
  private static let mailboxLimit = 100

  /// One mailbox or a list of them, at least one.
  fileprivate func mailboxes(_ key: String) -> [Mailbox]? {
    guard let value = needed(key, as: "kim@example.com") else { return nil }
    var texts = [value]
    if case .array = value.node.value { texts = value.elements() ?? [] }
    guard 1...ConfigurationObject.mailboxLimit ~= texts.count else {
      value.complain("expected 1 to \(ConfigurationObject.mailboxLimit) addresses")
      return nil
    }
    let mailboxes = texts.compactMap { element -> Mailbox? in
      guard let text = element.text() else { return nil }
      do throws(MailProblem) {
        return try Mailbox(text)
      } catch {
        element.complain(error.what, cure: error.cure)
        return nil
      }
    }
    return mailboxes.count == texts.count ? mailboxes : nil
  }
}
