public import PabalPlugin

/// Sends mails to an SMTP server over TLS, authenticated by access token or password, in one round trip per mail if
/// the server supports PIPELINING and CHUNKING.
public final class SMTPTransport: PluginTransport {
  /// `smtp`, as in `libpabal-smtp.so`.
  public static let name = "smtp"
  /// The plugin's version.
  public static let version = "1"
  /// One sentence about the transport.
  public static let summary =
    "Sends mail to an SMTP server over TLS, authenticated by OAuth 2.0 token or password."
  /// Host, login, trusted certificates and limits.
  public static let settings = SMTPServer.settings
  /// `true`: connecting and logging in need no mail.
  public static var canCheck: Bool { true }

  /// The most connections at once.
  public let parallel: Int
  private let client: SMTPClient

  /// Reads the settings; the first mail opens a connection.
  public init(_ settings: Settings, host: Host) throws(TransportOpenError) {
    parallel = Int(settings.number("parallel") ?? 3)
    client = SMTPClient(try SMTPServer(settings), log: { host.log(.info, $0) })
  }

  /// Makes one attempt over a kept or a new connection.
  public func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict {
    let message = SMTPMessage(
      sender: mail.sender, recipients: mail.recipients, bytes: mail.bytes,
      needsSMTPUTF8: mail.needsSMTPUTF8, needs8BitMIME: mail.needs8BitMIME)
    // The host adds the server's words to its own reason if it has no other token.
    let deliveryResult = client.send(message, onTokenRejection: { attempt.reply($0) }) { rejected in
      attempt.accessToken("account", rejected: rejected)
    }
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

  /// Connects and logs in without sending a mail.
  public func check(_ attempt: Attempt) -> Verdict {
    do throws(ConnectionError) {
      let capabilities = try client.check(onTokenRejection: { attempt.reply($0) }) { rejected in
        attempt.accessToken("account", rejected: rejected)
      }
      guard let capabilities else { return .alreadySet }
      attempt.reply(Self.message(client.server, capabilities))
      return .ready
    } catch {
      attempt.reply(error.message)
      return error.outcome.verdict
    }
  }

  /// Closes the kept connections.
  public func close() { client.close() }

  private static func message(_ server: SMTPServer, _ capabilities: Capabilities) -> String {
    let login = server.login.user.map { "logged in as \($0)" } ?? "without a login"
    let trips =
      switch TransactionMode(capabilities, quirks: ServerQuirks(), isStale: false).grouping {
      case .pipelinedWithBody: "one round trip per mail"
      case .pipelinedEnvelope: "two round trips per mail"
      case .lockStep: "one round trip per command"
      }
    let size = capabilities.maxSize.map { ", mails up to \($0) bytes" } ?? ""
    let warning =
      server.isExposed ? "; warning: unencrypted, so others in the network can read the mail" : ""
    return "reached \(server.name), \(login); \(trips)\(size)\(warning)"
  }
}

extension SMTPOutcome {
  /// The outcome as a plugin's verdict.
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
