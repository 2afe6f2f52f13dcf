/// Composes mails and previews from a message that the caller names.
public protocol MessageComposer: Sendable {
  /// Returns the finished mail of a message, addressed to `to`. Replies go to `replyTo`, or to the sender.
  func mail(
    of message: String, to: [Mailbox], replyTo: Mailbox?, attachments: [MailAttachment], languages: [String],
    variables: [String: String]
  ) throws(MessageComposerError) -> ComposedMail

  /// Returns the rendered message; a variable without a value gets its example.
  func preview(
    of message: String, languages: [String], variables: [String: String]
  ) throws(MessageComposerError) -> MessagePreview
}

extension MessageComposer {
  /// Returns the finished mail of a message, addressed to `to`.
  public func mail(
    of message: String, to: [Mailbox], languages: [String], variables: [String: String]
  ) throws(MessageComposerError) -> ComposedMail {
    try mail(
      of: message, to: to, replyTo: nil, attachments: [], languages: languages, variables: variables)
  }
}

/// A finished mail with the delivery settings of its message.
public struct ComposedMail: Sendable {
  /// The mail.
  public var mail: Mail
  /// The lane, which sets its urgency.
  public var lane: Lane
  /// How long the mail is useful after it was created; `nil` if it doesn't expire.
  public var lifetime: Duration?
  /// What to do if an attempt ends `unknown`.
  public var unknownPolicy: UnknownPolicy
  /// The language of the content.
  public var language: String

  /// Creates a composed mail.
  public init(
    _ mail: Mail, lane: Lane, lifetime: Duration?, unknownPolicy: UnknownPolicy, language: String
  ) {
    self.mail = mail
    self.lane = lane
    self.lifetime = lifetime
    self.unknownPolicy = unknownPolicy
    self.language = language
  }
}

/// A rendered message.
public struct MessagePreview: Sendable, Hashable {
  /// The language of the content.
  public var language: String
  /// The subject, one line.
  public var subject: String
  /// The plain text.
  public var text: String
  /// The HTML page.
  public var html: String

  /// Creates a preview.
  public init(language: String, subject: String, text: String, html: String) {
    self.language = language
    self.subject = subject
    self.text = text
    self.html = html
  }
}

/// An invalid input: the field of the request and what is wrong with it.
public struct InputError: Sendable, Hashable {
  /// The path of the field, such as `to` or `variables.name`.
  public let field: String
  /// What is wrong and what to do.
  public let message: String

  /// Creates an error about `field`.
  public init(field: String, message: String) {
    self.field = field
    self.message = message
  }
}

/// Why a message couldn't be composed.
public enum MessageComposerError: Error, Sendable {
  /// No message has this name.
  case unknown(message: String)
  /// An input is invalid: the field and what is wrong with it.
  case input(field: String, message: String)
  /// Several inputs are invalid.
  case inputs([InputError])
  /// The message can't be rendered.
  case broken(Diagnostics)
}
