internal import PabalFormats
public import PabalPlugin

/// Sends mail through Gmail's REST API from the mailbox of an account.
///
/// The API has no envelope: recipients are those in the header. So the header is made to agree with the envelope, or
/// the mail is `unsuited`. The envelope's sender isn't used; bounces go to the account's mailbox.
public final class GmailTransport: PluginTransport {
  /// `gmail`, as in `libpabal-gmail.so`.
  public static let name = "gmail"
  /// The plugin's version.
  public static let version = "1"
  /// One sentence about the transport.
  public static let summary = "Sends mail by Gmail's REST API, authenticated by OAuth 2.0 token."
  /// Account, endpoint, trusted certificates and limits.
  public static let settings = GmailAPI.settings
  /// `true`: the token can be tested without a mail.
  public static var canCheck: Bool { true }

  /// The most requests at once.
  public let parallel: Int
  private let client: GmailClient
  private let user: String?

  /// Reads the settings; the first mail opens a connection.
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

  /// Requests the mailbox's profile without sending a mail.
  public func check(_ attempt: Attempt) -> Verdict {
    attempt.report(client.check(user: user) { attempt.accessToken("account", rejected: $0)?.text })
  }

  /// Closes the kept connections.
  public func close() { client.close() }
}

extension Attempt {
  /// Reports the result to the host; `nil` means that the host had no token and has set the verdict.
  fileprivate func report(_ sendResult: SendResult?) -> Verdict {
    guard let sendResult else { return .alreadySet }
    reply(sendResult.message)
    if let id = sendResult.id { remoteID(id) }
    return sendResult.verdict
  }
}

/// The result of an attempt.
struct SendResult: Equatable {
  let verdict: Verdict
  /// Gmail's reply, or what is wrong and what to do.
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
  /// Returns the result for display: on one line, at most `maxLength` bytes, and without tokens, which the server may
  /// have repeated.
  func redacted(removing tokens: String...) -> SendResult {
    var redactor = SecretRedactor(replacement: "…")
    for token in tokens { redactor.add(Array(token.utf8), minimumLength: 1) }
    var redacted = self
    redacted.message = Self.redacted(message, by: redactor)
    redacted.id = id.map { Self.redacted($0, by: redactor) }
    return redacted
  }

  /// The maximum size of a text from the server, in bytes.
  private static let maxLength = 1_024

  private static func redacted(_ text: String, by redactor: SecretRedactor) -> String {
    let text = redactor.redact(text)
    // Nearly all messages need no change.
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

  /// Whether a character is a control character or a line or paragraph separator (Unicode Cc, Zl and Zp).
  private static func isControlOrLineBreak(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
    default: false
    }
  }
}
