public import PabalCore

/// Makes the mails of verifications from a store of messages.
public struct MessageWords: VerificationWords {
  private let messages: MessageStore
  private let sender: Mailbox
  private let stamp: @Sendable () -> MailStamp

  /// Mails from `sender` with the words of `messages`; `stamp` makes each one different from the others.
  public init(
    _ messages: MessageStore, from sender: Mailbox, stamp: @escaping @Sendable () -> MailStamp = MailStamp.now
  ) {
    self.messages = messages
    self.sender = sender
    self.stamp = stamp
  }

  /// The finished mail; `code` and `valid_for` are the letter's, wherever the message has them.
  public func mail(for letter: VerificationLetter) throws(VerificationProblem) -> VerificationMail {
    var values = MessageValue.values(letter.variables)
    for name in ["code", "valid_for"] where values[name] != nil {
      throw .input(field: "variables", what: "\"\(name)\" is not the caller's to give")
    }
    let words = try render(letter, &values)
    let draft = MailDraft(
      from: sender, to: [Mailbox(letter.to)], subject: words.subject, text: words.text, html: words.html,
      language: words.language, autoSubmitted: true)
    do throws(MailProblem) {
      let mail = try draft.finish(stamp: stamp())
      return VerificationMail(mail, unknown: words.unknownPolicy, language: words.language)
    } catch {
      throw .input(field: error.field, what: error.what)
    }
  }

  private func render(
    _ letter: VerificationLetter, _ values: inout [String: MessageValue]
  ) throws(VerificationProblem) -> RenderedMessage {
    do throws(MessageError) {
      let declared = Set(try messages.describe(letter.message).variables.map(\.name))
      if let code = letter.code {
        guard declared.contains("code") else {
          throw .broken(
            letter.message,
            [Diagnostic("the message has no {{code}}, so it can prove nothing", cure: "take another one")])
        }
        values["code"] = .text(code)
      }
      if declared.contains("valid_for") { values["valid_for"] = .duration(letter.validFor) }
      return try messages.render(letter.message, languages: letter.languages, values: values)
    } catch {
      switch error {
      case .broken(_, let diagnostics): throw .words(Diagnostics(diagnostics))
      case .unknownMessage: throw .input(field: "message", what: error.description)
      default: throw .input(field: "variables", what: error.description)
      }
    }
  }
}
