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
  public static let settings = Server.settings
  /// The server can be reached and logged in to without a mail.
  public static var canCheck: Bool { true }

  /// How many connections carry mails at once.
  public let parallel: Int
  private let courier: Courier

  /// Reads the settings; the first mail connects.
  public init(_ settings: Settings, host: Host) throws(OpenFailure) {
    parallel = Int(settings.number("parallel") ?? 3)
    courier = Courier(try Server(settings), note: { host.log(.info, $0) })
  }

  /// Makes one attempt over a kept or a new connection.
  public func send(_ mail: PluginMail, _ attempt: Attempt) -> Verdict {
    let delivery = Delivery(
      sender: mail.sender, recipients: mail.recipients, octets: mail.octets,
      needsSMTPUTF8: mail.needsSMTPUTF8, needs8BitMIME: mail.needs8BitMIME)
    let ending = courier.send(delivery) { rejected in attempt.grant(rejected: rejected) }
    guard case .fates(let fates) = ending else { return .alreadySet }
    guard let worst = fates.min(by: { $0.outcome.rank < $1.outcome.rank }) else { return .rejected }
    attempt.reply(worst.words)
    if let sent = fates.first(where: { $0.outcome == .sent }), let id = RemoteID.find(in: sent.words) {
      attempt.remoteID(id)
    }
    if fates.contains(where: { $0 != worst }) {
      for (index, fate) in fates.enumerated() {
        attempt.recipient(index, fate.outcome.verdict, reply: fate.words)
      }
    }
    return worst.outcome.verdict
  }

  /// Connects and logs in, sends nothing.
  public func check(_ attempt: Attempt) -> Verdict {
    do throws(ConnectFailure) {
      let offered = try courier.check { rejected in attempt.grant(rejected: rejected) }
      guard let offered else { return .alreadySet }
      attempt.reply(Self.words(courier.server, offered))
      return .ready
    } catch {
      attempt.reply(error.words)
      return error.outcome.verdict
    }
  }

  /// Parts from the server.
  public func close() { courier.close() }

  private static func words(_ server: Server, _ offered: Capabilities) -> String {
    let login = server.login.user.map { "logged in as \($0)" } ?? "without a login"
    let trips =
      switch Manner(offered, habits: Habits(), isStale: false).grouping {
      case .oneFlight: "one round trip a mail"
      case .twoFlights: "two round trips a mail"
      case .lockStep: "one round trip a command"
      }
    let size = offered.largest.map { ", mails up to \($0) octets" } ?? ""
    return "reached \(server.name), \(login); \(trips)\(size)"
  }
}

extension Attempt {
  fileprivate func grant(rejected: String?) -> Grant? {
    accessToken("account", rejected: rejected).map { Grant(token: $0.text, expiresIn: $0.expiresIn) }
  }
}

extension Outcome {
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
