internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The handlers of `/v1/mails` and `/v1/messages`.
struct MailHandlers: RequestHandlers {
  private let call: HTTPCall
  private var shared: SharedState { call.shared }
  private var request: Request { call.request }

  init(_ call: HTTPCall) { self.call = call }

  private struct AddBody: Sendable {
    let to: [Mailbox]
    let message: String
    let languages: [String]
    let variables: [String: String]

    init?(_ object: ObjectDecoder) {
      let to = object.mailboxes("to")
      let message = object.text("message", as: "welcome")
      languages = object.languages()
      variables = object.variables()
      guard let to, let message else { return nil }
      self.to = to
      self.message = message
    }
  }

  /// Queues a mail; answers 202.
  func add() async throws(ProblemDetails) -> Response {
    let bytes = try await request.bytes()
    let body = try request.object(bytes, AddBody.init)
    let preference = PreferHeader(request.headers)
    let key = try request.idempotencyKey(of: call.caller, bytes)
    return try await shared.inFlight.runExclusively(key) { () throws(ProblemDetails) in
      let dependencies = shared.dependencies()
      let composed: ComposedMail
      do throws(MessageComposerError) {
        composed = try dependencies.composer.mail(
          of: body.message, to: body.to, languages: body.languages, variables: body.variables)
      } catch {
        if case .broken(let diagnostics) = error { shared.reportBroken(diagnostics) }
        throw ProblemDetails(error, named: "message")
      }
      let recipients = composed.mail.envelope.recipients.count
      let added = try await shared.withinMailLimit(of: call.caller, mails: recipients) {
        () throws(ProblemDetails) in
        do throws(MailSubmissionError) {
          let notAfter = composed.lifetime.map { dependencies.verifications.currentTime() + $0 }
          let added = try await dependencies.submission.acting(for: call.caller.owner).add(
            composed.mail, lane: composed.lane, notAfter: notAfter, unknown: composed.unknownPolicy,
            idempotencyKey: key)
          return (added, isCounted: !added.isReplay)
        } catch {
          throw problemDetails(error)
        }
      }
      let id = added.value.mail
      let mail = try await shared.waitForFirstAttempt(added.value, preference, delivery: { $0 }) {
        () throws(ProblemDetails) in try await status(id) ?? added.value
      }
      return shared.accepted(MailBody(mail), at: "/v1/mails/\(id)", preference)
    }
  }

  /// Answers with the status of a mail.
  func show() async throws(ProblemDetails) -> Response {
    guard let status = try await status(call.parameter) else { throw .mailNotFound }
    return .json(MailBody(status))
  }

  private func status(_ id: String) async throws(ProblemDetails) -> MailStatus? {
    do throws(MailSubmissionError) {
      return try await shared.dependencies().submission.acting(for: call.caller.owner).status(id)
    } catch {
      throw problemDetails(error)
    }
  }

  private func problemDetails(_ error: MailSubmissionError) -> ProblemDetails {
    if case .storage(let error) = error { shared.report(.failed(error.description)) }
    return ProblemDetails(error)
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

  /// Answers with the text of a message, without sending it.
  func render() async throws(ProblemDetails) -> Response {
    let bytes = try await request.bytes()
    // The body is optional: the message has examples for its variables.
    let body =
      bytes.isEmpty
      ? RenderBody()
      : try request.object(bytes) {
        RenderBody(languages: $0.languages(), variables: $0.variables())
      }
    do throws(MessageComposerError) {
      let preview = try shared.dependencies().composer.preview(
        of: call.parameter, languages: body.languages, variables: body.variables)
      return .json(
        Rendered(
          message: call.parameter, language: preview.language, subject: preview.subject, text: preview.text,
          html: preview.html))
    } catch {
      throw ProblemDetails(error, named: nil)
    }
  }
}

/// The JSON form of a mail's status.
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

  init(_ mail: MailStatus) {
    id = mail.mail
    status = mail.state.rawValue
    outcome = OrNull(mail.outcome)
    reply = OrNull(mail.status)
  }
}

extension ObjectDecoder {
  /// The maximum number of recipients of one mail.
  private static let mailboxLimit = 100

  /// Returns the mailboxes of a member that is one address or a list of them.
  fileprivate func mailboxes(_ key: String) -> [Mailbox]? {
    guard let value = required(key, as: "kim@example.com") else { return nil }
    var texts = [value]
    if case .array = value.node.content { texts = value.elements() ?? [] }
    guard 1...ObjectDecoder.mailboxLimit ~= texts.count else {
      value.report("expected 1 to \(ObjectDecoder.mailboxLimit) addresses")
      return nil
    }
    let mailboxes = texts.compactMap { element -> Mailbox? in
      guard let text = element.trimmedText() else { return nil }
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
