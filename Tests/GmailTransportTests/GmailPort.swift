import Foundation
import PabalRESTTesting
import PabalTesting

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

extension GmailClient: RESTTestClient {}

extension RESTTestPort {
  /// Returns a client for the port.
  func client(timeout: Int = 20_000, finalTimeout: Int? = nil, now: Int = 0) throws -> GmailClient {
    GmailClient(try server(timeout: timeout, finalTimeout: finalTimeout), now: { now })
  }

  /// The plugin's settings, as in `config.json`.
  var settings: [String: String] { settings(account: "google") }
}

/// Returns a port that plays `script`.
func gmail(_ script: GmailServerScript = GmailServerScript()) throws -> RESTTestPort {
  try RESTTestPort(FakeGmail.shared.get(), script, isPlain: script.plain == true)
}

/// Returns a port with `acts` for the first requests.
func gmail(_ acts: RESTServerAction...) throws -> RESTTestPort { try gmail(GmailServerScript(acts: acts)) }
