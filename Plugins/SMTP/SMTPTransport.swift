public import PabalPlugin

/// Hands mails to a mail server over TLS, with a login by token or password: one round trip a mail where the
/// server allows it.
public final class SMTPTransport: PluginTransport {
  /// `smtp`, as in `libpabal-smtp.so`.
  public static let name = "smtp"
  /// The version, for people.
  public static let version = "1"
  /// What the transport does.
  public static let summary =
    "Hands mails to a mail server over TLS, logged in by OAuth 2.0 token or password."
  /// Host, login, trust and limits.
  public static let settings = SMTPServer.settings
  /// The server can be reached and logged in to without a mail.
  public static var canCheck: Bool { true }

  /// How many connections carry mails at once.
  public let parallel: Int
  private let client: SMTPClient

  /// Reads the settings; the first mail connects.
  public init(_ settings: Settings, host: Host) throws(TransportOpenError) {
    parallel = Int(settings.number("parallel") ?? 3)
    client = SMTPClient(try SMTPServer(settings), log: { host.log(.info, $0) })
  }

  /// Makes one attempt over a kept or a new connection.
  public func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict {
    let message = SMTPMessage(
      sender: mail.sender, recipients: mail.recipients, bytes: mail.bytes,
      needsSMTPUTF8: mail.needsSMTPUTF8, needs8BitMIME: mail.needs8BitMIME)
    let deliveryResult = client.send(message) { rejected in attempt.accessToken(rejected: rejected) }
    guard case .recipientResults(let recipientResults) = deliveryResult else { return .alreadySet }
    guard let worst = recipientResults.min(by: { $0.outcome.rank < $1.outcome.rank }) else {
      return .rejected
    }
    attempt.reply(worst.message)
    if let sent = recipientResults.first(where: { $0.outcome == .sent }),
      let id = QueueID.find(in: sent.message)
    {
      attempt.remoteID(id)
    }
    if recipientResults.contains(where: { $0 != worst }) {
      for (index, recipientResult) in recipientResults.enumerated() {
        attempt.recipient(index, recipientResult.outcome.verdict, reply: recipientResult.message)
      }
    }
    return worst.outcome.verdict
  }

  /// Connects and logs in, sends nothing.
  public func check(_ attempt: Attempt) -> Verdict {
    do throws(ConnectionError) {
      let capabilities = try client.check { rejected in attempt.accessToken(rejected: rejected) }
      guard let capabilities else { return .alreadySet }
      attempt.reply(Self.message(client.server, capabilities))
      return .ready
    } catch {
      attempt.reply(error.message)
      return error.outcome.verdict
    }
  }

  /// Parts from the server.
  public func close() { client.close() }

  private static func message(_ server: SMTPServer, _ capabilities: Capabilities) -> String {
    let login = server.login.user.map { "logged in as \($0)" } ?? "without a login"
    let trips =
      switch TransactionMode(capabilities, quirks: ServerQuirks(), isStale: false).grouping {
      case .pipelinedWithBody: "one round trip a mail"
      case .pipelinedEnvelope: "two round trips a mail"
      case .lockStep: "one round trip a command"
      }
    let size = capabilities.maxSize.map { ", mails up to \($0) octets" } ?? ""
    return "reached \(server.name), \(login); \(trips)\(size)"
  }
}

extension Attempt {
  fileprivate func accessToken(rejected: String?) -> Token? {
    accessToken("account", rejected: rejected).map { Token(token: $0.text, expiresIn: $0.expiresIn) }
  }
}

extension SMTPOutcome {
  /// The outcome as the host understands it.
  var verdict: Verdict {
    switch self {
    case .sent: .sent
    case .deferred: .deferred()
    case .unsuited: .unsuited
    case .rejected: .rejected
    case .held(.transport): .held(.transport)
    case .held(.mail): .held(.mail)
    case .unknown: .unknown
    }
  }
}
