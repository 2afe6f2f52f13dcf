/// Makes the mail that brings a code; what knows messages stands behind it.
public protocol VerificationMailComposer: Sendable {
  /// The finished mail; throws `.input` for what the caller gave and `.brokenMessage` for a broken message.
  func mail(for request: VerificationMailRequest) throws(VerificationError) -> VerificationMail
}

/// What a mail is to say.
public struct VerificationMailRequest: Sendable, Hashable {
  /// Whom it goes to.
  public var to: Address
  /// The message, by name.
  public var message: String
  /// The languages to look for, the best first.
  public var languages: [String]
  /// Values for the message's variables, beside `code` and `valid_for`.
  public var variables: [String: String]
  /// The code; `nil` in a notice, which has none.
  public var code: String?
  /// How long the code is valid.
  public var validFor: Duration

  /// What a mail is to say.
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

/// A finished mail, and what its message says of it.
public struct VerificationMail: Sendable {
  /// The mail.
  public var mail: Mail
  /// What becomes of it when nobody knows whether it was taken.
  public var unknown: UnknownPolicy
  /// The language of its words.
  public var language: String?

  /// A finished mail.
  public init(_ mail: Mail, unknown: UnknownPolicy = .resend, language: String? = nil) {
    self.mail = mail
    self.unknown = unknown
    self.language = language
  }
}
