internal import PabalFormats
internal import PabalPlugin
internal import PabalREST

/// The request that sends a mail by Microsoft Graph, and its limits.
struct GraphAPI: Sendable {
  /// The public cloud; national clouds have others (learn.microsoft.com/graph/deployments).
  static let endpoint = "https://graph.microsoft.com"

  /// 500 recipients is Exchange Online's default per message.
  ///
  /// The request may have 4 MB, but MIME sends above 2,240 KB were answered 200 and not sent (microsoft-graph-docs
  /// #13979), so a mail may have 2,250,000 bytes, which are 3,000,000 in base64.
  static let limits = MailAPI(
    service: "Microsoft Graph", name: "Microsoft Graph", maxRecipients: 500, maxSize: 2_250_000)

  /// `/v1.0/me/sendMail`, or that of another mailbox (learn.microsoft.com/graph/api/user-sendmail).
  let path: [UInt8]
  /// The mailbox that sends; `nil`: the account's own.
  let mailbox: String?

  init(mailbox: String?) {
    self.mailbox = mailbox
    guard let mailbox else {
      path = Array("/v1.0/me/sendMail".utf8)
      return
    }
    var path = Array("/v1.0/users/".utf8)
    for byte in mailbox.utf8 { PercentEncoding.append(byte, allowing: .unreserved, to: &path) }
    self.path = path + "/sendMail".utf8
  }

  /// Appends the head of a request with a body of `count` bytes.
  func appendHead(_ server: RESTServer, token: String, count: Int, to head: inout [UInt8]) {
    server.append("POST ", path, token: token, to: &head)
    head.append(contentsOf: "\r\nContent-Type: text/plain\r\nContent-Length: ".utf8)
    head.append(contentsOf: String(count).utf8)
    head.append(contentsOf: "\r\n\r\n".utf8)
  }

  /// Returns the body that sends `mail`: all of it in base64, on one line.
  static func body(_ mail: ReconciledMail) -> [UInt8] {
    var body: [UInt8] = []
    body.reserveCapacity(Base64.encodedCount(of: mail.count))
    guard !mail.head.isEmpty else {
      mail.tail.withMemoryRebound(to: UInt8.self) { Base64.append($0.span, to: &body) }
      return body
    }
    // Three bytes are four characters, so only whole groups of the first part can be encoded before the second.
    let whole = mail.head.count / 3 * 3
    Base64.append(mail.head.span.extracting(..<whole), to: &body)
    let rest = Array(mail.head[whole...]) + mail.tail
    Base64.append(rest.span, to: &body)
    return body
  }

  /// The settings of a Graph transport in `config.json`.
  ///
  /// At most four requests at once, Graph's limit for one app and mailbox (learn.microsoft.com/graph/throttling-limits,
  /// "Outlook service limits").
  static let settings: [Setting] =
    [
      Setting(
        .account, "account", help: "The account that sends.", required: true,
        scopes: [
          "microsoft:https://graph.microsoft.com/Mail.Send",
          "microsoft+mailbox:https://graph.microsoft.com/Mail.Send.Shared",
        ]),
      Setting(
        .text, "mailbox",
        help:
          "The address of a shared mailbox to send as; required if the account is an app. Default: the account's own."
      ),
    ] + RESTServer.settings(endpoint: endpoint, parallel: 1...4)

  /// Reads and checks `mailbox`.
  init(_ settings: Settings) throws(TransportOpenError) {
    let mailbox = settings.text("mailbox")
    if let mailbox {
      let parts = mailbox.split(separator: "@", omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), !mailbox.utf8.contains(where: { $0 <= 0x20 })
      else {
        throw TransportOpenError(
          "\"mailbox\": not an address; write the mailbox's user principal name, such as \"shared@example.com\""
        )
      }
    }
    self.init(mailbox: mailbox)
  }
}
