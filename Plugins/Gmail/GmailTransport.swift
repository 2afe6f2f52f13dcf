internal import PabalFormats
public import PabalPlugin

/// Hands mails to Gmail's REST API, as the mailbox of an account.
///
/// The API knows no envelope. Recipients are whom the header names, so header and envelope are made to agree or
/// the mail is `unsuited`; the envelope's sender is not used: bounces go to the account's mailbox.
public final class GmailTransport: PluginTransport {
  /// `gmail`, as in `libpabal-gmail.so`.
  public static let name = "gmail"
  /// The version, for people.
  public static let version = "1"
  /// What the transport does.
  public static let summary = "Hands mails to Gmail's REST API over HTTPS, logged in by OAuth 2.0 token."
  /// Account, endpoint, trust and limits.
  public static let settings = GmailAPI.settings
  /// The API can be reached and the token tried without a mail.
  public static var canCheck: Bool { true }

  /// How many requests are under way at once.
  public let parallel: Int
  private let client: GmailClient
  private let user: String?

  /// Reads the settings; the first mail connects.
  public init(_ settings: Settings, host: Host) throws(TransportOpenError) {
    parallel = Int(settings.number("parallel") ?? 4)
    client = GmailClient(try GmailAPI(settings))
    user = settings.user("account")
  }

  /// Makes one attempt over a kept or a new connection.
  public func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict {
    let message = GmailMessage(
      sender: mail.sender, recipients: mail.recipients, bytes: mail.bytes,
      needsSMTPUTF8: mail.needsSMTPUTF8)
    let sendResult = client.send(message) { attempt.accessToken("account", rejected: $0)?.text }
    return attempt.report(sendResult)
  }

  /// Asks for the mailbox's profile, sends nothing.
  public func check(_ attempt: Attempt) -> Verdict {
    attempt.report(client.check(user: user) { attempt.accessToken("account", rejected: $0)?.text })
  }

  /// Parts from the API.
  public func close() { client.close() }
}

extension Attempt {
  /// Tells the host how an attempt ended; without an ending there was no token, and the host knows why.
  fileprivate func report(_ sendResult: SendResult?) -> Verdict {
    guard let sendResult else { return .alreadySet }
    reply(sendResult.message)
    if let id = sendResult.id { remoteID(id) }
    return sendResult.verdict
  }
}

/// How an attempt ended.
struct SendResult: Equatable {
  let verdict: Verdict
  /// What Gmail said, or what is the matter and what to do; for a person.
  var message: String
  /// Gmail's own id of the mail.
  var id: String?

  init(_ verdict: Verdict, _ message: String, id: String? = nil) {
    self.verdict = verdict
    self.message = message
    self.id = id
  }
}

extension SendResult {
  /// The same as people may see it: on one line, not endless, without the tokens, should the far side repeat them.
  func redacted(removing tokens: String...) -> SendResult {
    var redactor = SecretRedactor(replacement: "…")
    for token in tokens { redactor.add(Array(token.utf8), minimumLength: 1) }
    var redacted = self
    redacted.message = Self.redacted(message, by: redactor)
    redacted.id = id.map { Self.redacted($0, by: redactor) }
    return redacted
  }

  /// The most bytes of a text that somebody else wrote.
  private static let maxLength = 1_024

  private static func redacted(_ text: String, by redactor: SecretRedactor) -> String {
    let text = redactor.redact(text)
    // Nearly every answer may be seen as it is.
    if isShortAndPlain(text) { return text }
    var line = ""
    var count = 0
    for scalar in text.unicodeScalars {
      let redacted = isControlOrLineBreak(scalar) ? " " : scalar
      count += UTF8.width(redacted)
      guard count <= maxLength else { break }
      line.unicodeScalars.append(redacted)
    }
    return line
  }

  /// Whether a text is short and printable ASCII.
  private static func isShortAndPlain(_ text: String) -> Bool {
    let bytes = text.utf8Span.span
    guard bytes.count <= maxLength else { return false }
    for index in bytes.indices {
      guard bytes[index] >= 0x20, bytes[index] < 0x7F else { return false }
    }
    return true
  }

  /// Whether it is a control character, or ends a line or paragraph (Unicode, Cc, Zl and Zp).
  private static func isControlOrLineBreak(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
    default: false
    }
  }
}
