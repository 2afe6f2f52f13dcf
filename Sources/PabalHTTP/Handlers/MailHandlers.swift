internal import HTTPTypes
internal import Hummingbird
internal import PabalCore

/// The handlers of `/v1/mails` and `/v1/messages`.
struct MailHandlers: RequestHandlers {
  private let call: HTTPCall
  private var shared: SharedState { call.shared }
  private var request: Request { call.request }

  init(_ call: HTTPCall) { self.call = call }

  /// The path of the route that takes mail, whose bodies may be large.
  static let path = "/v1/mails"

  /// Queues a mail; answers 202.
  func add() async throws(ProblemDetails) -> Response {
    let limits = shared.dependencies().access.mails
    let memory = shared.mailMemory.hold(for: call.caller.owner, limits)
    defer { memory.release() }
    switch request.mediaType {
    case "message/rfc822": return try await addFinished(limits, memory, isInternational: false)
    case "message/global": return try await addFinished(limits, memory, isInternational: true)
    default: return try await addComposed(limits, memory)
    }
  }

  /// Queues a mail of a message.
  private func addComposed(
    _ limits: MailRequestLimits, _ memory: MailMemory.Hold
  ) async throws(ProblemDetails) -> Response {
    guard request.mediaType == "application/json" else {
      throw .notJSON(
        request.headers[.contentType],
        remedy: "send Content-Type: application/json, or message/rfc822 for a finished mail")
    }
    let bytes = try await request.bytes(upTo: limits.size, in: memory)
    let body = try MailRequestBody.read(bytes, of: request)
    let key = try request.idempotencyKey(of: call.caller, [bytes])
    return try await shared.inFlight.runExclusively(key) { () throws(ProblemDetails) in
      let dependencies = shared.dependencies()
      let composed: ComposedMail
      do throws(MessageComposerError) {
        composed = try dependencies.composer.mail(
          of: body.message, to: body.to, replyTo: body.replyTo, attachments: body.attachments,
          languages: body.languages, variables: body.variables)
      } catch {
        if case .broken(let diagnostics) = error { shared.reportBroken(diagnostics) }
        throw ProblemDetails(error, named: "message")
      }
      guard composed.mail.bytes.count <= limits.size else {
        throw .mailTooLarge(composed.mail.bytes.count, limit: limits.size)
      }
      let notAfter = composed.lifetime.map { dependencies.verifications.currentTime() + $0 }
      return try await queue(composed.mail) { submission throws(MailSubmissionError) in
        try await submission.add(
          composed.mail, lane: composed.lane, notAfter: notAfter, unknown: composed.unknownPolicy,
          idempotencyKey: key)
      }
    }
  }

  /// Queues a finished mail, whose envelope is in the query.
  private func addFinished(
    _ limits: MailRequestLimits, _ memory: MailMemory.Hold, isInternational: Bool
  ) async throws(ProblemDetails) -> Response {
    let query = try EnvelopeQuery(request.uri.query)
    let bytes = try await request.bytes(upTo: limits.size, in: memory)
    guard !bytes.isEmpty else {
      throw .invalid("body", "empty; send the mail as it is: header fields, an empty line and the text")
    }
    let type: StaticString = isInternational ? "message/global" : "message/rfc822"
    let parts = [Array("\(type)".utf8)] + query.payloadParts + [bytes]
    let key = try request.idempotencyKey(of: call.caller, parts)
    return try await shared.inFlight.runExclusively(key) { () throws(ProblemDetails) in
      let mail = try finishedMail(bytes, query.envelope, isInternational: isInternational)
      return try await queue(mail) { submission throws(MailSubmissionError) in
        let added = try await submission.add(mail, idempotencyKey: key)
        if !added.isReplay {
          shared.report(
            .submitted(
              mail: mail.id, client: call.caller.name, recipients: mail.envelope.recipients.count,
              bytes: mail.bytes.count))
        }
        return added
      }
    }
  }

  /// Returns the mail with what a submitted mail needs, as by SMTP and `sendmail`.
  private func finishedMail(
    _ bytes: [UInt8], _ envelope: Envelope, isInternational: Bool
  ) throws(ProblemDetails) -> Mail {
    do throws(MailError) {
      let submitted = try SubmittedMail(bytes, lineEnds: .any)
      guard !submitted.isLooping else {
        throw MailError("received", "more than \(ReceivedField.limit) Received fields: a mail loop")
      }
      return try submitted.finish(
        envelope: envelope,
        received: ReceivedField(host: shared.dependencies().hostName, transmission: "HTTP"),
        isInternational: isInternational, identity: .now()
      ).mail
    } catch {
      throw .invalid(error.field, error.message + (error.remedy.map { "; \($0)" } ?? ""))
    }
  }

  /// Queues a mail by `add` within the limits of the caller, and answers 202.
  private func queue(
    _ mail: Mail,
    _ add: (MailSubmission) async throws(MailSubmissionError) -> IdempotentResult<MailStatus>
  ) async throws(ProblemDetails) -> Response {
    let added = try await shared.withinMailLimit(
      of: call.caller, mails: mail.envelope.recipients.count
    ) { () throws(ProblemDetails) in
      do throws(MailSubmissionError) {
        let added = try await add(shared.dependencies().submission.acting(for: call.caller.owner))
        return (added, isCounted: !added.isReplay)
      } catch {
        throw problemDetails(error)
      }
    }
    let id = added.value.mail
    let preference = PreferHeader(request.headers)
    let latest = try await shared.waitForFirstAttempt(added.value, preference, delivery: { $0 }) {
      () throws(ProblemDetails) in try await status(id) ?? added.value
    }
    return shared.accepted(MailBody(latest), at: "\(MailHandlers.path)/\(id)", preference)
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
