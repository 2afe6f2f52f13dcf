import Foundation
import PabalTesting
import Testing

/// A site whose account `office` is at Microsoft, with a fake Graph, a fake Gmail and a scripted mail server.
struct MicrosoftSite {
  /// What a port of a fake API does.
  struct APIScript: Encodable {
    var plain = true
    /// The URL where the tokens' users and scopes are asked for.
    var tokeninfo: String?
    /// What it does with every request.
    var always: RESTServerAction?
    var mailboxes: [String: [String]]?
  }

  /// What the mail server received.
  struct MailServerReport: Decodable {
    struct Mail: Decodable { let recipients: [String] }
    /// Mechanism, user and SHA-256 of the token of each login.
    let attempts: [[String]]
    let taken: [Mail]
  }

  private struct MailServerScript: Encodable {
    let security = "tls"
    let offers = ["AUTH XOAUTH2", "PIPELINING"]
  }

  let account: AccountSite
  /// The ports of the servers on 127.0.0.1.
  let ports: (graph: Int, gmail: Int, smtp: Int)
  private let mailServer: ScriptedServer

  var site: TestSite { account.site }
  var server: AuthorizationServer { account.server }

  static let shared = "shop@example.test"
  static let graphScope = "https://graph.microsoft.com/Mail.Send"
  static let sharedScope = "https://graph.microsoft.com/Mail.Send.Shared"
  static let smtpScope = "https://outlook.office.com/SMTP.Send"

  /// Creates a site with the transports that `route` names; `settings` are more members of `graph`, and `more` of the
  /// account. `secret` is that of the app.
  init(
    _ route: [String], settings: String = "", more: String = "", secret: String? = nil,
    graph: APIScript? = nil, gmail: APIScript = APIScript()
  ) throws {
    let server = try AuthorizationServer()
    try server.control(["clients": ["app-id": secret.map { $0 as Any } ?? NSNull()], "interval": 1])
    let (fakeGraph, fakeGmail) = (try FakeGraph.shared.get(), try FakeGmail.shared.get())
    mailServer = try ScriptedServer("hostile.py")
    ports = (
      try fakeGraph.listen(graph ?? APIScript(tokeninfo: server.url("/tokeninfo"))),
      try fakeGmail.listen(gmail), try mailServer.listen(MailServerScript())
    )
    let transports = [
      "graph":
        #""plugin": "graph", "account": "office", "endpoint": "http://localhost:\#(ports.graph)"\#(settings)"#,
      "gmail": #""plugin": "gmail", "account": "google", "endpoint": "http://localhost:\#(ports.gmail)""#,
      "smtp": """
      "plugin": "smtp", "host": "localhost", "port": \(ports.smtp), "account": "office",
      "ca_file": "\(mailServer.authority.authority)"
      """,
    ]
    account = try AccountSite(
      server, name: "office", transport: "[\(route.map { "\"\($0)\"" }.joined(separator: ", "))]",
      transports: route.map { "\"\($0)\": { \(transports[$0] ?? "") }" }.joined(separator: ", "),
      account: """
        "provider": "microsoft", "tenant": "contoso.example", "authority": "\(server.url(""))", "client_id": "app-id"\(more)
        }, "google": { "user": "\(AccountSite.user)", "provider": "token", "token": "ya29.a-token-of-the-tests"
        """)
  }

  /// Logs in to `count` services in turn; `before` runs before the browser of each login opens.
  @discardableResult
  func logIn(
    _ count: Int, _ more: String..., before: (Int) throws -> Void = { _ in }
  ) throws -> (status: Int32, output: String, errors: String) {
    let login = try account.startLogin(more)
    for number in 1...count {
      let transcript = try login.transcript(until: "press Return:", times: number)
      try before(number)
      try AccountSite.open(AccountSite.address(in: transcript))
    }
    return try login.finish()
  }

  /// Returns the scopes of all logins, in order.
  func requestedScopes() throws -> [String] {
    try server.requests("/contoso.example/oauth2/v2.0/authorize").compactMap { $0["scope"] }
  }

  /// The names of the token files.
  var tokenFiles: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(account.path)/tokens")) ?? []
    return names.filter { $0.hasSuffix(".json") }.sorted()
  }

  /// Returns the access token in the file `name`.
  func token(_ name: String) throws -> String {
    let data = try Data(contentsOf: URL(filePath: "\(account.path)/tokens/\(name)"))
    let file = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
    return try #require(file["token"] as? String)
  }

  /// Ends the login whose tokens are in the file `name`; those in other files stay valid for an hour.
  func endLogin(_ name: String) throws {
    let path = "\(account.path)/tokens/\(name)"
    var file = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any])
    file["expiry"] = "2020-01-01T00:00:00Z"
    try account.write(
      String(decoding: JSONSerialization.data(withJSONObject: file), as: UTF8.self), to: "tokens/\(name)")
    try server.control([
      "dead": ["error": "invalid_grant", "description": "AADSTS50173: The provided grant has expired."]
    ])
  }

  /// Returns what the fake Graph received.
  func graphReport() throws -> RESTServerReport {
    try FakeGraph.shared.get().ask(["report": ports.graph], as: RESTServerReport.self)
  }

  /// Returns what the fake Gmail received.
  func gmailReport() throws -> RESTServerReport {
    try FakeGmail.shared.get().ask(["report": ports.gmail], as: RESTServerReport.self)
  }

  /// Returns what the mail server received.
  func mailServerReport() throws -> MailServerReport {
    try mailServer.ask(["report": ports.smtp], as: MailServerReport.self)
  }

  /// Sends a mail by the route, or by the transports that `more` names.
  func send(_ more: String...) throws -> ChildProcess {
    try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal",
      ["send", "bob@example.net", "--subject", "x", "--text", "y", "--json"] + more,
      environment: TestSite.cleanEnvironment, directory: account.path)
  }
}
