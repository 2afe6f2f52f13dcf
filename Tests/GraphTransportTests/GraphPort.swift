import Foundation
import PabalCore
import PabalFormats
import PabalTesting
import Synchronization

@testable import GraphTransport
@testable import PabalREST

extension RESTServerAction {
  /// Returns an error in Graph's format; `inner` is the code of a nested `innerError`.
  static func graphError(
    _ status: Int, _ code: String, _ message: String = "No.", inner: String? = nil,
    headers: [String: String]? = nil
  ) -> RESTServerAction {
    var error: [String: Any] = ["code": code, "message": message]
    var innerError: [String: Any] = ["date": "2026-11-30T00:00:00", "request-id": "r"]
    if let inner { innerError["code"] = inner }
    error["innerError"] = innerError
    let body = (try? JSONSerialization.data(withJSONObject: ["error": error])) ?? Data()
    return .status(status, String(decoding: body, as: UTF8.self), headers: headers)
  }
}

/// A script for one port of the fake Graph.
struct GraphServerScript: Encodable, Sendable {
  struct Token: Encodable, Sendable {
    var user = "sender@example.com"
    var scopes = ["Mail.Send"]
    var app = false
  }

  var tokens: [String: Token]?
  var mailboxes: [String: [String]]?
  var plain: Bool?
  var limit: Int?
  var acts: [RESTServerAction] = []
  var always: RESTServerAction?
}

/// A port that plays one script.
struct GraphPort: Sendable {
  let fake: ScriptedServer
  let port: Int
  let isPlain: Bool

  var endpoint: String { "\(isPlain ? "http" : "https")://localhost:\(port)" }

  func report() throws -> RESTServerReport { try fake.ask(["report": port], as: RESTServerReport.self) }

  func client(timeout: Int = 20_000, mailbox: String? = nil) throws -> GraphClient {
    var server = RESTServer(try HTTPEndpoint(endpoint, query: .refused))
    server.certificateFile = fake.authority.authority
    server.timeout = timeout
    server.finalTimeout = timeout
    return GraphClient(
      server, GraphAPI(mailbox: mailbox), user: "sender@example.com", now: { 1_000 })
  }

  /// The plugin's settings, as in `config.json`.
  var settings: [String: String] {
    ["account": "office", "endpoint": endpoint, "ca_file": fake.authority.authority]
  }
}

/// Returns a port that plays `script`.
func graph(_ script: GraphServerScript = GraphServerScript()) throws -> GraphPort {
  let fake = try FakeGraph.shared.get()
  return GraphPort(fake: fake, port: try fake.listen(script), isPlain: script.plain == true)
}

/// Returns a port with `acts` for the first requests.
func graph(_ acts: RESTServerAction...) throws -> GraphPort { try graph(GraphServerScript(acts: acts)) }

/// A token source that records which tokens were rejected.
final class GraphTokens: AccessTokenSource {
  let user = "sender@example.com"
  static let first = "eyJ0eXAiOiJKV1QiLCJub25jZSI6InRoZS1maXJzdCJ9"
  static let second = "eyJ0eXAiOiJKV1QiLCJub25jZSI6InRoZS1yZW5ld2VkIn0"
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
struct GraphTestMail {
  var sender = "sender@example.com"
  var recipients = ["bob@example.net"]
  var bytes: [UInt8]
  var needsSMTPUTF8 = false

  init(_ header: String, body: String = "482913\r\n", to recipients: String...) {
    bytes = Array("\(header)\r\n\r\n\(body)".utf8)
    if !recipients.isEmpty { self.recipients = recipients }
  }

  static let small = GraphTestMail("From: sender@example.com\r\nTo: bob@example.net\r\nSubject: a code")

  /// A mail of exactly `count` bytes.
  static func large(_ count: Int) -> GraphTestMail {
    var mail = small
    let line = Array("the quick brown fox jumps over the lazy dog, and does it again and again.\r\n".utf8)
    while mail.bytes.count + line.count <= count - 2 { mail.bytes += line }
    mail.bytes += Array(repeating: UInt8(ascii: "x"), count: count - mail.bytes.count - 2) + [13, 10]
    return mail
  }

  /// Sends the mail and blocks; returns `nil` without a token.
  func sendResult(_ client: GraphClient, tokens: RESTClient.TokenSource = { _ in GraphTokens.first })
    -> SendResult?
  {
    bytes.withUnsafeBytes { bytes in
      client.send(
        RESTMail(sender: sender, recipients: recipients, bytes: bytes, needsSMTPUTF8: needsSMTPUTF8),
        tokens: tokens)
    }
  }
}
