internal import PabalFormats
internal import PabalPlugin
internal import PabalREST

/// The requests of Gmail's API, and its limits.
enum GmailAPI {
  /// The public endpoint.
  static let endpoint = "https://gmail.googleapis.com"

  /// 500 recipients: Gmail's quota page; another page of Google says 100. The size: Gmail discovery document,
  /// `mediaUpload.maxSize`.
  static let limits = MailAPI(
    service: "Gmail", name: "Gmail's API", maxRecipients: 500, maxSize: 36_700_160)

  /// Appends the head of a media upload, whose body is the mail itself (Gmail discovery document, `media`).
  static func appendSendHead(_ server: RESTServer, token: String, count: Int, to head: inout [UInt8]) {
    server.append(
      "POST ", "/upload/gmail/v1/users/me/messages/send?uploadType=media".utf8, token: token, to: &head)
    head.append(contentsOf: "\r\nContent-Type: message/rfc822\r\nContent-Length: ".utf8)
    head.append(contentsOf: String(count).utf8)
    head.append(contentsOf: "\r\n\r\n".utf8)
  }

  /// Appends the head of a request for the mailbox's profile.
  static func appendProfileHead(_ server: RESTServer, token: String, to head: inout [UInt8]) {
    server.append("GET ", "/gmail/v1/users/me/profile".utf8, token: token, to: &head)
    head.append(contentsOf: "\r\n\r\n".utf8)
  }

  /// The settings of a Gmail transport in `config.json`.
  static let settings: [Setting] =
    [
      Setting(
        .account, "account", help: "The account whose mailbox sends.", required: true,
        scopes: ["google:https://www.googleapis.com/auth/gmail.send"])
    ]
    + RESTServer.settings(endpoint: endpoint, parallel: 1...64)
}
