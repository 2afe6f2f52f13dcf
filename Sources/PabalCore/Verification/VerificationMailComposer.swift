/// Composes the mails that carry codes.
public protocol VerificationMailComposer: Sendable {
  /// Returns the finished mail. Throws `.input` for invalid values and `.brokenMessage` for a message with errors.
  func mail(for request: VerificationMailRequest) throws(VerificationError) -> VerificationMail
}

/// The content of a verification mail.
public struct VerificationMailRequest: Sendable, Hashable {
  /// The recipient.
  public var to: Address
  /// The name of the message.
  public var message: String
  /// The preferred languages, the best first.
  public var languages: [String]
  /// Values for the message's variables other than `code` and `valid_for`.
  public var variables: [String: String]
  /// The code; `nil` in a notice.
  public var code: String?
  /// The lifetime of the code.
  public var validFor: Duration

  /// The content of a mail.
  public init(
    to: Address, message: String, languages: [String] = [], variables: [String: String] = [:], code: String?,
    validFor: Duration
  ) {
    self.to = to
    self.message = message
    self.languages = languages
    self.variables = variables
    self.code = code
    self.validFor = validFor
  }
}

/// A finished mail, with properties of its message.
public struct VerificationMail: Sendable {
  /// The mail.
  public var mail: Mail
  /// What follows an attempt whose result is unknown.
  public var unknown: UnknownPolicy
  /// The language of the mail.
  public var language: String?

  /// A finished mail.
  public init(_ mail: Mail, unknown: UnknownPolicy = .resend, language: String? = nil) {
    self.mail = mail
    self.unknown = unknown
    self.language = language
  }
}
