import Foundation
import PabalTesting

@testable import SMTPTransport

/// The hostile server's action at one place; see `Tests/Servers/hostile.py`.
struct SMTPServerAction: Encodable, Sendable {
  var reply: String?
  var raw: String?
  var split: Bool?
  var close: Bool?
  var reset: Bool?
  var stall: Bool?
  var freeze: Bool?
  var taken: Bool?
  var after: Int?
  var flood: String?
  var extra: String?
  var skip: Int?
  var consume: Bool?
  var delay: Double?
  var initial: Bool?

  static func reply(_ text: String, close: Bool? = nil) -> SMTPServerAction {
    SMTPServerAction(reply: text, close: close)
  }
  static func bytes(_ bytes: [UInt8], split: Bool? = nil, close: Bool? = nil) -> SMTPServerAction {
    SMTPServerAction(raw: Data(bytes).base64EncodedString(), split: split, close: close)
  }
  static let close = SMTPServerAction(close: true)
  static let reset = SMTPServerAction(reset: true)
  static let stall = SMTPServerAction(stall: true)

  static func late(_ seconds: Double) -> SMTPServerAction { SMTPServerAction(delay: seconds) }

  func after(_ bytes: Int) -> SMTPServerAction {
    var act = self
    act.after = bytes
    return act
  }
  func from(_ time: Int) -> SMTPServerAction {
    var act = self
    act.skip = time
    return act
  }
}

/// A script for one port of the hostile server.
struct SMTPServerScript: Encodable, Sendable {
  static let all = [
    "SIZE 35882577", "8BITMIME", "AUTH LOGIN PLAIN XOAUTH2 OAUTHBEARER", "ENHANCEDSTATUSCODES", "PIPELINING",
    "CHUNKING", "SMTPUTF8",
  ]

  var security = "tls"
  var offers = SMTPServerScript.all
  var offersBefore: [String]?
  var logins: [String: [String]]?
  var receiveBuffer: Int?
  var certificate: String?
  var six: Bool?
  var any: Bool?
  var oldTLS: Bool?
  var ignoresInitial: Bool?
  var connections: [[String: SMTPServerAction]] = [[:]]

  init(_ faults: [String: SMTPServerAction] = [:], without missing: [String] = []) {
    connections = [faults]
    offers.removeAll { offer in missing.contains { offer.hasPrefix($0) } }
  }
}

/// What the hostile server received at one port.
struct SMTPServerReport: Decodable, Sendable {
  struct Mail: Decodable, Sendable {
    let sender: String
    let recipients: [String]
    let params: String
    let size: Int
    let sha256: String
    let flights: Int
    let bytes: String?
  }

  let connections: Int
  let handshakes: Int
  let logins: Int
  let quits: Int
  let stalled: Int
  let commands: [String]
  let strange: [String]
  let attempts: [[String]]
  let initial: [Bool]
  let whole: [Mail]
  let taken: [Mail]
}

/// The running `Tests/Servers/hostile.py`.
enum HostileSMTPServer {
  static let shared = Result { try ScriptedServer("hostile.py") }

  static func listen(_ script: SMTPServerScript) throws -> HostilePort {
    let server = try shared.get()
    return HostilePort(server: server, port: try server.listen(script), script: script)
  }
}

/// A port that plays one script.
struct HostilePort: Sendable {
  let server: ScriptedServer
  let port: Int
  let script: SMTPServerScript

  func report() throws -> SMTPServerReport { try server.ask(["report": port], as: SMTPServerReport.self) }

  func hangUp() throws {
    struct Nothing: Decodable {}
    _ = try server.ask(["hangUp": port], as: Nothing.self)
  }

  func say(_ text: String) throws {
    struct Nothing: Decodable {}
    struct Request: Encodable {
      let say: Int
      let text: String
    }
    _ = try server.ask(Request(say: port, text: text), as: Nothing.self)
  }

  static let login = SMTPLogin.account(user: "alice@example.test", mechanism: .xoauth2)

  /// Returns a client's settings for the port.
  func server(
    _ login: SMTPLogin = login,
    host: String = "localhost",
    timeout: Int = 20_000, finalTimeout: Int? = nil
  ) -> SMTPServer {
    var server = SMTPServer(
      host: host, port: port, security: SMTPServer.Security(rawValue: script.security) ?? .tls,
      ehlo: "client.test", login: login)
    server.certificateFile = self.server.authority.authority
    server.limits = SMTPLimits(reply: timeout, finalReply: finalTimeout ?? timeout)
    return server
  }

  func client(
    _ login: SMTPLogin = login, timeout: Int = 20_000,
    finalTimeout: Int? = nil, now: @escaping @Sendable () -> Int = { 0 }
  ) -> SMTPClient {
    SMTPClient(server(login, timeout: timeout, finalTimeout: finalTimeout), now: now)
  }
}

/// Returns a port that plays `faults` and offers every extension except those in `missing`.
func hostile(_ faults: [String: SMTPServerAction] = [:], without missing: [String] = []) throws -> HostilePort
{
  try HostileSMTPServer.listen(SMTPServerScript(faults, without: missing))
}

/// Returns a port that plays `script`.
func hostile(_ script: SMTPServerScript) throws -> HostilePort { try HostileSMTPServer.listen(script) }
