public import PabalCore

/// Mails of any message in a store, from one sender.
public struct MessageMails: MessageWords {
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
  ) throws(MessageProblem) -> MessageMail {
    let words = try rendered(message, languages, variables, withExamples: false)
    let draft = MailDraft(
      from: from, to: to, subject: words.subject, text: words.text, html: words.html,
      language: words.language, autoSubmitted: true)
    do throws(MailProblem) {
      return MessageMail(
        try draft.finish(stamp: .now()), lane: words.lane, lifetime: words.lifetime,
        unknown: words.unknownPolicy, language: words.language)
    } catch {
      throw .input(field: error.field, what: error.what)
    }
  }

  /// The message's words, examples where values are missing.
  public func preview(
    of message: String, languages: [String], variables: [String: String]
  ) throws(MessageProblem) -> MessagePreview {
    let words = try rendered(message, languages, variables, withExamples: true)
    return MessagePreview(
      language: words.language, subject: words.subject, text: words.text, html: words.html)
  }

  private func rendered(
    _ message: String, _ languages: [String], _ variables: [String: String], withExamples: Bool
  ) throws(MessageProblem) -> RenderedMessage {
    do throws(MessageError) {
      let given = MessageValue.values(variables)
      let examples = withExamples ? try store.describe(message).examples : [:]
      return try store.render(
        message, languages: languages, values: given.merging(examples) { given, _ in given })
    } catch {
      switch error {
      case .unknownMessage: throw .unknown(what: error.description)
      case .missingVariable, .unknownVariable, .unfitValue:
        throw .input(field: "variables", what: error.description)
      case .broken, .noLanguage: throw .broken(Diagnostics(error.diagnostics))
      }
    }
  }
}
