public import PabalCore

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
        message, languages: languages, values: typedValues.merging(examples) { typedValues, _ in typedValues })
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
