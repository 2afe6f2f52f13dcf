public import PabalCore

/// Composes verification mails from the messages in a store.
///
/// Variables of kind `code` get the code, and those of kind `duration` its validity, which callers can't override in a
/// message with a code.
public struct StoredVerificationComposer: VerificationMailComposer {
  private let store: MessageStore
  private let from: Mailbox

  /// Creates a composer for mails from `from`.
  public init(_ store: MessageStore, from: Mailbox) {
    self.store = store
    self.from = from
  }

  /// Returns the finished mail. Throws `.input` for a missing or invalid value, and `.brokenMessage` for a message with
  /// errors.
  public func mail(for request: VerificationMailRequest) throws(VerificationError) -> VerificationMail {
    let rendered: RenderedMessage
    if request.code == nil, hasCode(request.message) {
      throw .input(
        field: "message",
        message:
          "\(request.message.displayName) contains a code, but a notice has none; use a message without a code"
      )
    }
    if request.code != nil, let variables = try? store.describe(request.message).variables,
      !variables.contains(where: { $0.kind == .code })
    {
      throw .input(
        field: "message",
        message:
          "\(request.message.displayName) has no {{code}}, so it can't verify an address; did you mean \"notice\": true?"
      )
    }
    do throws(MessageError) {
      var values = MessageValue.values(request.variables)
      let variables = try store.describe(request.message).variables
      let hasCode = variables.contains { $0.kind == .code }
      for variable in variables {
        switch variable.kind {
        case .code where request.variables[variable.name] != nil:
          throw .invalidValue(
            variable: variable.name, message: request.message, reason: "Pabal generates the code",
            remedy: "leave it out")
        case .duration where hasCode && request.variables[variable.name] != nil:
          throw .invalidValue(
            variable: variable.name, message: request.message,
            reason: "Pabal fills in how long the code is valid",
            remedy: "leave it out, or change \"lifetime\" in \"verification\"")
        case .code: values[variable.name] = request.code.map { .text($0) }
        case .duration: values[variable.name] = values[variable.name] ?? .duration(request.validFor)
        case .text, .url, .time: break
        }
      }
      rendered = try store.render(request.message, languages: request.languages, values: values)
    } catch {
      throw StoredVerificationComposer.mapError(error)
    }
    let draft = MailDraft(
      from: from, to: [Mailbox(request.to)], subject: rendered.subject, text: rendered.text,
      html: rendered.html, language: rendered.language, autoSubmitted: true)
    do throws(MailError) {
      return VerificationMail(
        try draft.finish(identity: .now()), unknown: rendered.unknownPolicy, language: rendered.language)
    } catch {
      throw .input(field: error.field, message: error.message)
    }
  }

  private func hasCode(_ message: String) -> Bool {
    (try? store.describe(message))?.variables.contains { $0.kind == .code } ?? false
  }

  private static func mapError(_ error: MessageError) -> VerificationError {
    switch error {
    case .unknownMessage: .input(field: "message", message: error.description)
    case .missingVariable, .unknownVariable, .invalidValue:
      .input(field: error.inputErrors[0].field, message: error.description)
    case .several: .inputs(error.inputErrors)
    case .broken, .languageUnavailable: .brokenMessage(Diagnostics(error.diagnostics))
    }
  }
}

/// Composes mails from any message in a store, with a fixed sender.
public struct StoredMessageComposer: MessageComposer {
  private let store: MessageStore
  private let from: Mailbox

  /// Creates a composer for mails from `from`.
  public init(_ store: MessageStore, from: Mailbox) {
    self.store = store
    self.from = from
  }

  /// Returns the finished mail. Codes and durations come from the caller, because no verification sets them.
  public func mail(
    of message: String, to: [Mailbox], replyTo: Mailbox?, attachments: [MailAttachment], languages: [String],
    variables: [String: String]
  ) throws(MessageComposerError) -> ComposedMail {
    let rendering = try rendered(message, languages, variables, withExamples: false)
    let draft = MailDraft(
      from: from, to: to, replyTo: replyTo, subject: rendering.subject, text: rendering.text,
      html: rendering.html, language: rendering.language, autoSubmitted: true, attachments: attachments)
    do throws(MailError) {
      return ComposedMail(
        try draft.finish(identity: .now()), lane: rendering.lane, lifetime: rendering.lifetime,
        unknownPolicy: rendering.unknownPolicy, language: rendering.language)
    } catch {
      throw .input(field: error.field, message: error.message)
    }
  }

  /// Returns the rendered message, with examples for missing values.
  public func preview(
    of message: String, languages: [String], variables: [String: String]
  ) throws(MessageComposerError) -> MessagePreview {
    let rendering = try rendered(message, languages, variables, withExamples: true)
    return MessagePreview(
      language: rendering.language, subject: rendering.subject, text: rendering.text, html: rendering.html)
  }

  private func rendered(
    _ message: String, _ languages: [String], _ variables: [String: String], withExamples: Bool
  ) throws(MessageComposerError) -> RenderedMessage {
    do throws(MessageError) {
      let typedValues = MessageValue.values(variables)
      let examples = withExamples ? try store.describe(message).examples : [:]
      return try store.render(
        message, languages: languages, values: typedValues.merging(examples) { typedValues, _ in typedValues }
      )
    } catch {
      switch error {
      case .unknownMessage: throw .unknown(message: error.description)
      case .missingVariable, .unknownVariable, .invalidValue:
        throw .input(field: error.inputErrors[0].field, message: error.description)
      case .several: throw .inputs(error.inputErrors)
      case .broken, .languageUnavailable: throw .broken(Diagnostics(error.diagnostics))
      }
    }
  }
}
