public import PabalCore

/// The mails of verifications, in the words of the messages in a store.
///
/// A message's variables of kind `code` get the code, those of kind `duration` how long it is valid; beside a code
/// no caller can promise another time.
public struct VerificationMessages: VerificationWords {
  private let store: MessageStore
  private let from: Mailbox

  /// Mails from `from`, worded as in `store`.
  public init(_ store: MessageStore, from: Mailbox) {
    self.store = store
    self.from = from
  }

  /// The finished mail; a value that is missing or doesn't fit is the caller's, a broken message the site's.
  public func mail(for letter: VerificationLetter) throws(VerificationProblem) -> VerificationMail {
    let rendered: RenderedMessage
    if letter.code == nil, hasCode(letter.message) {
      throw .input(
        field: "message",
        what: "\(letter.message.shown) has a code, and a notice has none; name a message without one")
    }
    do throws(MessageError) {
      var values = MessageValue.values(letter.variables)
      let variables = try store.describe(letter.message).variables
      let hasCode = variables.contains { $0.kind == .code }
      guard letter.code == nil || variables.contains(where: { $0.kind == .code }) else {
        throw .broken(
          letter.message,
          [Diagnostic("the message \(letter.message.shown) has no code, so it can prove nothing")])
      }
      for variable in variables {
        switch variable.kind {
        case .code where letter.variables[variable.name] != nil:
          throw .unfitValue(
            variable: variable.name, message: letter.message, reason: "it is Pabal's to make up",
            cure: "leave it out")
        case .duration where hasCode && letter.variables[variable.name] != nil:
          throw .unfitValue(
            variable: variable.name, message: letter.message, reason: "it is how long the code is valid",
            cure: "leave it out, or change \"lifetime\" in \"verification\"")
        case .code: values[variable.name] = letter.code.map { .text($0) }
        case .duration: values[variable.name] = values[variable.name] ?? .duration(letter.validFor)
        case .text, .url, .time: break
        }
      }
      rendered = try store.render(letter.message, languages: letter.languages, values: values)
    } catch {
      throw VerificationMessages.problem(error)
    }
    let draft = MailDraft(
      from: from, to: [Mailbox(letter.to)], subject: rendered.subject, text: rendered.text,
      html: rendered.html, language: rendered.language, autoSubmitted: true)
    do throws(MailProblem) {
      return VerificationMail(
        try draft.finish(stamp: .now()), unknown: rendered.unknownPolicy, language: rendered.language)
    } catch {
      throw .input(field: error.field, what: error.what)
    }
  }

  private func hasCode(_ message: String) -> Bool {
    (try? store.describe(message))?.variables.contains { $0.kind == .code } ?? false
  }

  private static func problem(_ error: MessageError) -> VerificationProblem {
    switch error {
    case .unknownMessage: .input(field: "message", what: error.description)
    case .missingVariable, .unknownVariable, .unfitValue: .input(field: "variables", what: error.description)
    case .broken, .noLanguage: .brokenMessage(Diagnostics(error.diagnostics))
    }
  }
}
