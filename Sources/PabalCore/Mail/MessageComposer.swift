/// Makes mails and previews of any message, for front doors that let callers name one.
public protocol MessageComposer: Sendable {
  /// The finished mail of a message to `to`.
  func mail(
    of message: String, to: [Mailbox], languages: [String], variables: [String: String]
  ) throws(MessageComposerError) -> ComposedMail

  /// The message's words; a variable without a value gets its example.
  func preview(
    of message: String, languages: [String], variables: [String: String]
  ) throws(MessageComposerError) -> MessagePreview
}

/// A finished mail, and what its message says of it.
public struct ComposedMail: Sendable {
  /// The mail.
  public var mail: Mail
  /// How urgent it is.
  public var lane: Lane
  /// How long after its making it is of use; `nil` where it does not age.
  public var lifetime: Duration?
  /// What becomes of it when nobody knows whether it was taken.
  public var unknown: UnknownPolicy
  /// The language of its words.
  public var language: String

  /// A finished mail.
  public init(_ mail: Mail, lane: Lane, lifetime: Duration?, unknown: UnknownPolicy, language: String) {
    self.mail = mail
    self.lane = lane
    self.lifetime = lifetime
    self.unknown = unknown
    self.language = language
  }
}

/// The words of a message with values in place.
public struct MessagePreview: Sendable, Hashable {
  /// The language they are in.
  public var language: String
  /// One line.
  public var subject: String
  /// The plain text.
  public var text: String
  /// A whole HTML page.
  public var html: String

  /// The words of a message.
  public init(language: String, subject: String, text: String, html: String) {
    self.language = language
    self.subject = subject
    self.text = text
    self.html = html
  }
}

/// Why there is no such mail.
public enum MessageComposerError: Error, Sendable {
  /// There is no message of this name.
  case unknown(message: String)
  /// What was asked for can't be: which part of it, and what is wrong.
  case input(field: String, message: String)
  /// The message can't be rendered.
  case broken(Diagnostics)
}
