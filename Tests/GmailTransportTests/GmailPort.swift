import Foundation
import PabalCore
import PabalFormats
import PabalTesting
import Synchronization

@testable import GmailTransport
@testable import PabalREST

extension RESTServerAction {
  /// Returns an error in Google's format, as its client library expects it.
  static func error(
    _ status: Int, _ reason: String?, _ message: String = "No.", name: String? = nil, details: String? = nil
  ) -> RESTServerAction {
    var error: [String: Any] = ["code": status, "message": message]
    if let reason { error["errors"] = [["domain": "global", "reason": reason, "message": message]] }
    if let name { error["status"] = name }
    if let details {
      error["details"] = [["@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": details]]
    }
    let body = (try? JSONSerialization.data(withJSONObject: ["error": error])) ?? Data()
    return .status(status, String(decoding: body, as: UTF8.self))
  }
}

/// A script for one port of the fake Gmail.
struct GmailServerScript: Encodable, Sendable {
  var tokens: [String: [String]]?
  var plain: Bool?
  var user: String?
  var receiveBuffer: Int?
  var acts: [RESTServerAction] = []
  var always: RESTServerAction?
}

/// A port that plays one script.
struct GmailPort: Sendable {
  let fake: ScriptedServer
  let port: Int
  let isPlain: Bool

  var endpoint: String { "\(isPlain ? "http" : "https")://localhost:\(port)" }

  func report() throws -> RESTServerReport { try fake.ask(["report": port], as: RESTServerReport.self) }

  func hangUp() throws {
    struct Nothing: Decodable {}
    _ = try fake.ask(["hangUp": port], as: Nothing.self)
  }

  func client(timeout: Int = 20_000, finalTimeout: Int? = nil, now: Int = 0) throws -> GmailClient {
    var api = RESTServer(try HTTPEndpoint(endpoint, query: .refused))
    api.certificateFile = fake.authority.authority
    api.timeout = timeout
    api.finalTimeout = finalTimeout ?? timeout
    return GmailClient(api, now: { now })
  }

  /// The plugin's settings, as in `config.json`.
  var settings: [String: String] {
    ["account": "google", "endpoint": endpoint, "ca_file": fake.authority.authority]
  }
}

/// Returns a port that plays `script`.
func gmail(_ script: GmailServerScript = GmailServerScript()) throws -> GmailPort {
  let fake = try FakeGmail.shared.get()
  let port = try fake.listen(script)
  return GmailPort(fake: fake, port: port, isPlain: script.plain == true)
}

/// Returns a port with `acts` for the first requests.
func gmail(_ acts: RESTServerAction...) throws -> GmailPort { try gmail(GmailServerScript(acts: acts)) }

/// A token source that records which tokens were rejected.
final class TestTokens: AccessTokenSource {
  let user = "sender@example.com"
  static let first = "ya29.a-token-of-the-tests-0123456789"
  static let second = "ya29.the-renewed-token-9876543210"
  private let rejected = Mutex<[String]>([])
  private let canRenew: Bool

  init(canRenew: Bool = true) { self.canRenew = canRenew }

  var renewals: [String] { rejected.withLock { $0 } }

  func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
    guard let rejected else { return AccessToken(text: Self.first) }
    self.rejected.withLock { $0.append(rejected) }
    guard canRenew else { throw .held("the refresh token has been revoked; log the account in again") }
    return AccessToken(text: Self.second)
  }
}

/// A mail for tests.
struct GmailTestMail {
  var sender = "sender@example.com"
  var recipients = ["bob@example.net"]
  var bytes: [UInt8]
  var needsSMTPUTF8 = false

  init(_ header: String, body: String = "482913\r\n", to recipients: String...) {
    bytes = Array("\(header)\r\n\r\n\(body)".utf8)
    if !recipients.isEmpty { self.recipients = recipients }
  }

  static let small = GmailTestMail("From: sender@example.com\r\nTo: bob@example.net\r\nSubject: a code")

  static func large(_ count: Int) -> GmailTestMail {
    let line = "the quick brown fox jumps over the lazy dog, and does it again and again.\r\n"
    var mail = small
    mail.bytes += Array(String(repeating: line, count: count / line.utf8.count).utf8)
    return mail
  }

  /// Sends the mail and blocks; returns `nil` without a token.
  func sendResult(_ client: GmailClient, tokens: RESTClient.TokenSource = { _ in TestTokens.first })
    -> SendResult?
  {
    bytes.withUnsafeBytes { bytes in
      client.send(
        RESTMail(sender: sender, recipients: recipients, bytes: bytes, needsSMTPUTF8: needsSMTPUTF8),
        tokens: tokens)
    }
  }
}
