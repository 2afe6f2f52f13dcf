import Foundation
import PabalRESTTesting
import PabalTesting

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

extension GraphClient: RESTTestClient {}

extension RESTTestPort {
  /// Returns a client for the port.
  func client(timeout: Int = 20_000, mailbox: String? = nil) throws -> GraphClient {
    GraphClient(
      try server(timeout: timeout), GraphAPI(mailbox: mailbox), user: "sender@example.com", now: { 1_000 })
  }

  /// The plugin's settings, as in `config.json`.
  var settings: [String: String] { settings(account: "office") }
}

/// Returns a port that plays `script`.
func graph(_ script: GraphServerScript = GraphServerScript()) throws -> RESTTestPort {
  try RESTTestPort(FakeGraph.shared.get(), script, isPlain: script.plain == true)
}

/// Returns a port with `acts` for the first requests.
func graph(_ acts: RESTServerAction...) throws -> RESTTestPort { try graph(GraphServerScript(acts: acts)) }
