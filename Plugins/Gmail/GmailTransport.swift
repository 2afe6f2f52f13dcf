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
    // A token may be the beginning of another.
    let tokens = tokens.map { Array($0.utf8) }.sorted { $0.count > $1.count }
    var redacted = self
    redacted.message = Self.redacted(message, removing: tokens)
    redacted.id = id.map { Self.redacted($0, removing: tokens) }
    return redacted
  }

  /// The most bytes of a text that somebody else wrote.
  private static let maxLength = 1_024

  private static func redacted(_ text: String, removing tokens: [[UInt8]]) -> String {
    // Nearly every answer may be seen as it is.
    if needsNoRedaction(text, removing: tokens) { return text }
    var bytes = Array(text.utf8)
    for token in tokens { bytes = redact(token, in: bytes) }
    var line = ""
    var count = 0
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      let redacted = isControlOrLineBreak(scalar) ? " " : scalar
      count += UTF8.width(redacted)
      guard count <= maxLength else { break }
      line.unicodeScalars.append(redacted)
    }
    return line
  }

  /// Whether a text is short, of plain characters, and holds no token.
  private static func needsNoRedaction(_ text: String, removing tokens: [[UInt8]]) -> Bool {
    let bytes = text.utf8Span.span
    guard bytes.count <= maxLength else { return false }
    for index in bytes.indices {
      guard bytes[index] >= 0x20, bytes[index] < 0x7F else { return false }
    }
    return tokens.allSatisfy { !contains($0.span, bytes) }
  }

  private static func contains(_ token: Span<UInt8>, _ bytes: Span<UInt8>) -> Bool {
    guard token.count > 0, bytes.count >= token.count else { return false }
    for start in 0...(bytes.count - token.count) where bytes[start] == token[0] {
      var length = 1
      while length < token.count, bytes[start + length] == token[length] { length += 1 }
      if length == token.count { return true }
    }
    return false
  }

  // By bytes: as characters, a token before a combining mark would not be found.
  private static func redact(_ token: [UInt8], in bytes: [UInt8]) -> [UInt8] {
    var hidden: [UInt8] = []
    hidden.reserveCapacity(bytes.count)
    var rest = bytes[...]
    while let first = rest.first {
      if first == token.first, rest.starts(with: token) {
        hidden += "…".utf8
        rest = rest.dropFirst(token.count)
      } else {
        hidden.append(first)
        rest = rest.dropFirst()
      }
    }
    return hidden
  }

  /// Whether it is a control character, or ends a line or paragraph (Unicode, Cc, Zl and Zp).
  private static func isControlOrLineBreak(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0, 0x2028, 0x2029: true
    default: false
    }
  }
}
