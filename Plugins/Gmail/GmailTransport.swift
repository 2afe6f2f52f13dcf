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
      sender: mail.sender, recipients: mail.recipients, octets: mail.octets,
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
