public import PabalCore

/// The mails of verifications, in the words of the messages in a store.
///
/// A message's variables of kind `code` get the code, those of kind `duration` how long it is valid; beside a code
/// no caller can promise another time.
public struct StoredVerificationComposer: VerificationMailComposer {
  private let store: MessageStore
  private let from: Mailbox

  /// Mails from `from`, worded as in `store`.
  public init(_ store: MessageStore, from: Mailbox) {
    self.store = store
    self.from = from
  }

  /// The finished mail; a value that is missing or doesn't fit is the caller's, a broken message the site's.
  public func mail(for request: VerificationMailRequest) throws(VerificationError) -> VerificationMail {
    let rendered: RenderedMessage
    if request.code == nil, hasCode(request.message) {
      throw .input(
        field: "message",
        message:
          "\(request.message.displayName) has a code, and a notice has none; name a message without one")
    }
    do throws(MessageError) {
      var values = MessageValue.values(request.variables)
      let variables = try store.describe(request.message).variables
      let hasCode = variables.contains { $0.kind == .code }
      guard request.code == nil || variables.contains(where: { $0.kind == .code }) else {
        throw .broken(
          request.message,
          [Diagnostic("the message \(request.message.displayName) has no code, so it can prove nothing")])
      }
      for variable in variables {
        switch variable.kind {
        case .code where request.variables[variable.name] != nil:
          throw .invalidValue(
            variable: variable.name, message: request.message, reason: "it is Pabal's to make up",
            remedy: "leave it out")
        case .duration where hasCode && request.variables[variable.name] != nil:
          throw .invalidValue(
            variable: variable.name, message: request.message, reason: "it is how long the code is valid",
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
      .input(field: "variables", message: error.description)
    case .broken, .languageUnavailable: .brokenMessage(Diagnostics(error.diagnostics))
    }
  }
}

/// Mails of any message in a store, from one sender.
public struct StoredMessageComposer: MessageComposer {
  private let store: MessageStore
  private let from: Mailbox

  /// Mails from `from`, worded as in `store`.
  public init(_ store: MessageStore, from: Mailbox) {
    self.store = store
    self.from = from
  }

  /// The finished mail; a code or a duration is the caller's to give, for nobody checks it here.
  public func mail(
    of message: String, to: [Mailbox], languages: [String], variables: [String: String]
  ) throws(MessageComposerError) -> ComposedMail {
    let rendering = try rendered(message, languages, variables, withExamples: false)
    let draft = MailDraft(
      from: from, to: to, subject: rendering.subject, text: rendering.text, html: rendering.html,
      language: rendering.language, autoSubmitted: true)
    do throws(MailError) {
      return ComposedMail(
        try draft.finish(identity: .now()), lane: rendering.lane, lifetime: rendering.lifetime,
        unknown: rendering.unknownPolicy, language: rendering.language)
    } catch {
      throw .input(field: error.field, message: error.message)
    }
  }

  /// The message's words, examples where values are missing.
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
        throw .input(field: "variables", message: error.description)
      case .broken, .languageUnavailable: throw .broken(Diagnostics(error.diagnostics))
      }
    }
  }
}
