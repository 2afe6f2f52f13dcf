internal import PabalPlugin

/// Where the API is, and how it is spoken to.
struct Service: Sendable {
  let endpoint: Endpoint
  var certificateFile: String?
  var certificateDirectory: String?
  /// The longest silence, in milliseconds.
  var timeout = 60_000

  init(_ endpoint: Endpoint) { self.endpoint = endpoint }

  /// The head of a media upload: the mail's octets are its body, whatever their size (Gmail discovery document).
  func sendHead(token: String, count: Int) -> [UInt8] {
    head(
      "POST \(endpoint.path)/upload/gmail/v1/users/me/messages/send?uploadType=media", token: token,
      "Content-Type: message/rfc822\r\nContent-Length: \(count)\r\n")
  }

  /// The head of a request for the mailbox's profile.
  func profileHead(token: String) -> [UInt8] {
    head("GET \(endpoint.path)/gmail/v1/users/me/profile", token: token, "")
  }

  private func head(_ request: String, token: String, _ fields: String) -> [UInt8] {
    Array(
      "\(request) HTTP/1.1\r\nHost: \(endpoint.name)\r\nAuthorization: Bearer \(token)\r\n\(fields)\r\n".utf8)
  }

  /// The most octets an upload may have (Gmail discovery document, `mediaUpload.maxSize`).
  static let largest = 36_700_160
  /// The most recipients of one mail (Gmail's quota page; another page of Google's says 100).
  static let mostRecipients = 500

  /// What `config.json` may say of a Gmail transport.
  static let settings: [Setting] = [
    Setting(.account, "account", help: "The account whose mailbox sends.", required: true),
    Setting(
      .text, "endpoint", help: "Where the API is; https, or http towards this machine.",
      default: "https://gmail.googleapis.com"),
    Setting(.path, "ca_file", help: "A PEM file of authorities to trust instead of the system's."),
    Setting(
      .path, "ca_directory", help: "A directory of hashed authorities to trust instead of the system's."),
    Setting(
      .duration, "timeout", help: "The longest silence of the API, and the longest time to connect.",
      default: "60s", range: 1_000...3_600_000),
    Setting(
      .number, "parallel", help: "How many requests are under way at once.", default: "4", range: 1...64),
  ]

  /// Reads the settings; says in words what does not fit.
  init(_ settings: Settings) throws(OpenFailure) {
    do throws(Endpoint.Problem) {
      endpoint = try Endpoint(settings.text("endpoint") ?? "https://gmail.googleapis.com")
    } catch {
      throw OpenFailure("\"endpoint\" \(error.what)")
    }
    certificateFile = settings.text("ca_file")
    certificateDirectory = settings.text("ca_directory")
    timeout = Int(settings.number("timeout") ?? 60_000)
  }
}
