public import PabalPlugin
internal import PabalREST

/// Sends mail through Microsoft Graph, which needs no SMTP permission in the tenant.
///
/// `sendMail` has no envelope: recipients are those in the header. So the header is made to agree with the envelope,
/// or the mail is `unsuited`. Bounces go to the mailbox, and Graph keeps a copy of each mail in its Sent Items.
public final class GraphTransport: PluginTransport {
  /// `graph`, as in `libpabal-graph.so`.
  public static let name = "graph"
  /// The plugin's version.
  public static let version = "1"
  /// One sentence about the transport.
  public static let summary =
    "Sends mail by Microsoft Graph, authenticated by OAuth 2.0 token; the mailbox keeps a copy in Sent Items."
  /// Account, mailbox, endpoint, trusted certificates and limits.
  public static let settings = GraphAPI.settings
  /// 30 mails a minute (Exchange Online limits, "Sending limits").
  public static var pace: (sends: UInt32, seconds: UInt32)? { (30, 60) }
  /// The mailbox: Graph refuses authors that it may not send as.
  public static let senderSettings = ["mailbox", "account"]
  /// `true`: consent, license and mailbox can be tested without a mail.
  public static var canCheck: Bool { true }

  /// The most requests at once.
  public let parallel: Int
  private let client: GraphClient

  /// Reads the settings; the first mail opens a connection.
  public init(_ settings: Settings, host: Host) throws(TransportOpenError) {
    parallel = Int(settings.number("parallel") ?? 4)
    client = GraphClient(
      try RESTServer(settings, endpoint: GraphAPI.endpoint), try GraphAPI(settings),
      user: settings.user("account") ?? "")
  }

  /// Makes one attempt over a kept or a new connection.
  public func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict {
    attempt.report(client.send(RESTMail(mail)) { attempt.accessToken("account", rejected: $0)?.text })
  }

  /// Makes a request that Graph can only refuse, for its missing mail or for a missing permission.
  public func check(_ attempt: Attempt) -> Verdict {
    attempt.report(client.check { attempt.accessToken("account", rejected: $0)?.text })
  }

  /// Closes the kept connections.
  public func close() { client.close() }
}
