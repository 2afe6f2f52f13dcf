internal import PabalFormats
internal import PabalPlugin

/// The API's endpoint and the settings for requests to it.
struct GmailAPI: Sendable {
  let endpoint: HTTPEndpoint
  /// What comes before the API's own paths; empty, or beginning with a slash.
  private let path: String
  var certificateFile: String?
  var certificateDirectory: String?
  /// In milliseconds: how long sending may stall, and how long the response may take after the request.
  var timeout = 60_000

  init(_ endpoint: HTTPEndpoint) {
    self.endpoint = endpoint
    path = Self.path(of: endpoint)
  }

  private static func path(of endpoint: HTTPEndpoint) -> String {
    var path = endpoint.path
    while path.last == "/" { path.removeLast() }
    return path
  }

  /// Appends the head of a media upload, whose body is the mail itself (Gmail discovery document, `media`).
  func appendSendHead(token: String, count: Int, to head: inout [UInt8]) {
    append("POST ", "/upload/gmail/v1/users/me/messages/send?uploadType=media", token: token, to: &head)
    head.append(contentsOf: "\r\nContent-Type: message/rfc822\r\nContent-Length: ".utf8)
    head.append(contentsOf: String(count).utf8)
    head.append(contentsOf: "\r\n\r\n".utf8)
  }

  /// Appends the head of a request for the mailbox's profile.
  func appendProfileHead(token: String, to head: inout [UInt8]) {
    append("GET ", "/gmail/v1/users/me/profile", token: token, to: &head)
    head.append(contentsOf: "\r\n\r\n".utf8)
  }

  // Appends bytes, because an interpolated string costs as much as the system call that sends the request.
  private func append(_ method: StaticString, _ path: StaticString, token: String, to head: inout [UInt8]) {
    head.reserveCapacity(head.count + 512 + token.utf8.count)
    head.append(contentsOf: UnsafeBufferPointer(start: method.utf8Start, count: method.utf8CodeUnitCount))
    head.append(contentsOf: self.path.utf8)
    head.append(contentsOf: UnsafeBufferPointer(start: path.utf8Start, count: path.utf8CodeUnitCount))
    head.append(contentsOf: " HTTP/1.1\r\nHost: ".utf8)
    head.append(contentsOf: endpoint.authority.utf8)
    head.append(contentsOf: "\r\nAuthorization: Bearer ".utf8)
    head.append(contentsOf: token.utf8)
  }

  /// The maximum size of an upload in bytes (Gmail discovery document, `mediaUpload.maxSize`).
  static let maxUploadSize = 36_700_160
  /// The maximum number of recipients of a mail (Gmail's quota page; another page of Google says 100).
  static let maxRecipients = 500

  /// The settings of a Gmail transport in `config.json`.
  static let settings: [Setting] = [
    Setting(.account, "account", help: "The account whose mailbox sends.", required: true),
    Setting(
      .text, "endpoint", help: "The API's URL; https, or http for a server on this machine.",
      default: "https://gmail.googleapis.com"),
    Setting(
      .path, "ca_file", help: "A PEM file of certificate authorities to trust instead of the system's."),
    Setting(
      .path, "ca_directory",
      help: "An OpenSSL directory of certificate authorities to trust instead of the system's."),
    Setting(
      .duration, "timeout",
      help: "How long connecting, a stall while sending, and the response may each take.",
      default: "60s", range: 1_000...3_600_000),
    Setting(
      .number, "parallel", help: "The most requests at once.", default: "4", range: 1...64),
  ]

  /// Reads and checks the settings.
  init(_ settings: Settings) throws(TransportOpenError) {
    do throws(HTTPEndpointError) {
      let text = settings.text("endpoint") ?? "https://gmail.googleapis.com"
      self.init(try HTTPEndpoint(text, query: .refused))
    } catch {
      throw TransportOpenError("\"endpoint\" \(error)")
    }
    certificateFile = settings.text("ca_file")
    certificateDirectory = settings.text("ca_directory")
    timeout = Int(settings.number("timeout") ?? 60_000)
  }
}
