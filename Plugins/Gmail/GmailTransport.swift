public import PabalPlugin
internal import PabalREST

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
  /// 60 mails a minute (usage limits: 6,000 quota units per minute and user, 100 for `messages.send`).
  public static var pace: (sends: UInt32, seconds: UInt32)? { (60, 60) }
  /// The account: Gmail replaces authors that aren't addresses of its mailbox.
  public static let senderSettings = ["account"]
  /// `true`: the token can be tested without a mail.
  public static var canCheck: Bool { true }

  /// The most requests at once.
  public let parallel: Int
  private let client: GmailClient
  private let user: String?

  /// Reads the settings; the first mail opens a connection.
  public init(_ settings: Settings, host: Host) throws(TransportOpenError) {
    parallel = Int(settings.number("parallel") ?? 4)
    client = GmailClient(try RESTServer(settings, endpoint: GmailAPI.endpoint))
    user = settings.user("account")
  }

  /// Makes one attempt over a kept or a new connection.
  public func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict {
    let sendResult = client.send(RESTMail(mail)) { attempt.accessToken("account", rejected: $0)?.text }
    return attempt.report(sendResult)
  }

  /// Requests the mailbox's profile without sending a mail.
  public func check(_ attempt: Attempt) -> Verdict {
    attempt.report(client.check(user: user) { attempt.accessToken("account", rejected: $0)?.text })
  }

  /// Closes the kept connections.
  public func close() { client.close() }
}
