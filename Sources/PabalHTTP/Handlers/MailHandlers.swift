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
    guard shared.dependencies().hasRoom(limits.freeSpace) else { throw .diskFull }
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
      let finished = try finishedMail(bytes, query.envelope, isInternational: isInternational)
      let mail = finished.mail
      return try await queue(mail) { submission throws(MailSubmissionError) in
        let added = try await submission.add(mail, idempotencyKey: key)
        if !added.isReplay {
          shared.report(
            .submitted(
              mail: mail.id, client: call.caller.name, recipients: mail.envelope.recipients.count,
              bytes: mail.bytes.count))
          // A mail can have thousands.
          for signature in finished.removedSignatures.prefix(10) {
            shared.report(
              .signatureRemoved(mail: mail.id, domain: signature.domain, changed: signature.changed))
          }
        }
        return added
      }
    }
  }

  /// Returns the mail with what a submitted mail needs, as by SMTP and `sendmail`.
  private func finishedMail(
    _ bytes: [UInt8], _ envelope: Envelope, isInternational: Bool
  ) throws(ProblemDetails) -> SubmittedMail.Finished {
    let dependencies = shared.dependencies()
    let submitted = try catchingMailError { () throws(MailError) in
      try SubmittedMail(bytes, lineEnds: .any)
    }
    guard !submitted.isLooping else {
      throw .invalid("received", "more than \(ReceivedField.limit) Received fields: a mail loop")
    }
    let rules = call.caller.senderRules
    do throws(SenderRefusal) {
      try rules.check(envelopeSender: envelope.sender)
      try rules.check(
        submitted.header, completing: dependencies.rewriting?.domain ?? dependencies.hostName)
    } catch {
      throw .senderNotAllowed(error.description)
    }
    var changes = SubmittedMail.Changes()
    changes.rewriting = dependencies.rewriting
    changes.author = rules.forcedSender
    let recipients = dependencies.rewriting?.recipients(envelope.recipients) ?? envelope.recipients
    guard
      let rewritten = Envelope(sender: rules.envelopeSender(envelope.sender), recipients: recipients)
    else { throw .invalid("to", "no recipient") }
    return try catchingMailError { [changes] () throws(MailError) in
      try submitted.finish(
        envelope: rewritten, received: ReceivedField(host: dependencies.hostName, transmission: "HTTP"),
        isInternational: isInternational, identity: .now(), changes: changes)
    }
  }

  private func catchingMailError<Value>(
    _ work: () throws(MailError) -> Value
  ) throws(ProblemDetails) -> Value {
    do throws(MailError) {
      return try work()
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
    guard let history = shared.dependencies().history else { return .json(MailBody(status)) }
    do throws(StorageError) {
      return .json(MailBody(status, try await history.events(of: status.mail)))
    } catch {
      throw problemDetails(.storage(error))
    }
  }

  private func status(_ id: String) async throws(ProblemDetails) -> MailStatus? {
    do throws(MailSubmissionError) {
      let caller = call.caller.seesAllMail ? Caller.unrestricted : call.caller.owner
      return try await shared.dependencies().submission.acting(for: caller).status(id)
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
