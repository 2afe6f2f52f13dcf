import Foundation
import PabalTesting
import Testing

/// A folder with a configuration whose account, `google` by default, logs in at a fake authorization server.
struct AccountSite {
  let site: TestSite
  let server: AuthorizationServer
  let name: String

  static let user = "alice@example.test"

  /// Creates a site; `transports` are the members of that object in JSON, and `transport` names one of them, or several
  /// as a JSON array.
  init(
    _ server: AuthorizationServer, name: String = "google", transport: String = "file",
    transports: String = #""file": { "plugin": "file", "directory": "mail" }"#,
    account: String = #""provider": "google", "client": "credentials.json""#
  ) throws {
    self.server = server
    self.name = name
    site = try TestSite(
      """
      {
        "transport": \(transport.hasPrefix("[") ? transport : "\"\(transport)\""),
        "transports": { \(transports) },
        "accounts": { "\(name)": { "user": "\(Self.user)", \(account) } },
        "from": "\(Self.user)",
        "messages": { "directory": "messages", "language": "en", "variables": { "service": "Pabal" } }
      }
      """)
    try write(server.clientFile(), to: "credentials.json")
  }

  var path: String { site.directory.path }
  var tokenFile: String { "\(path)/tokens/\(name).json" }

  /// Writes a file that only its owner can read.
  func write(_ text: String, to name: String, mode: Int = 0o600) throws {
    let file = try site.directory.write(text, to: name)
    try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
  }

  /// Returns the content of the token file.
  func token() throws -> [String: Any] {
    let data = try Data(contentsOf: URL(filePath: tokenFile))
    return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
  }

  /// Sets a member of the token file.
  func change(_ key: String, _ value: Any) throws {
    var token = try token()
    token[key] = value
    let data = try JSONSerialization.data(withJSONObject: token)
    try write(String(decoding: data, as: UTF8.self), to: "tokens/\(name).json")
  }

  /// Starts `pabal` so that the test can type input.
  func start(
    _ arguments: String..., environment: [String: String?] = [:], onTerminal: Bool = false
  ) throws -> InteractiveProcess {
    let clean: [String: String?] = [
      "PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "BROWSER": nil, "DISPLAY": nil, "WAYLAND_DISPLAY": nil,
    ]
    return try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", arguments, environment: clean.merging(environment) { $1 },
      directory: path, onTerminal: onTerminal)
  }

  /// Returns the URL that the last login in `transcript` asks to open.
  static func address(in transcript: String) throws -> String {
    String(
      try #require(
        transcript.split(whereSeparator: \.isWhitespace).last { $0.hasPrefix("http://127.0.0.1") }))
  }

  /// Returns the page that a browser shows after all redirects.
  @discardableResult
  static func open(_ address: String, language: String = "en") throws -> String {
    try ChildProcess.run("curl", ["-sS", "-L", "-m", "30", "-H", "Accept-Language: \(language)", address])
      .output
  }

  /// Logs in with `--no-browser` and a browser that can reach the login's port.
  @discardableResult
  func logIn(_ more: String...) throws -> (status: Int32, output: String, errors: String) {
    let login = try startLogin(more)
    let transcript = try login.transcript(until: "press Return:")
    try Self.open(Self.address(in: transcript))
    return try login.finish()
  }

  /// Starts a login with `--no-browser`.
  func startLogin(_ more: [String] = [], onTerminal: Bool = false) throws -> InteractiveProcess {
    try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["account", "login", name, "--no-browser"] + more,
      environment: ["PABAL_CONFIG": nil], directory: path, onTerminal: onTerminal)
  }

  /// Returns everything that must never be shown: tokens, codes, verifiers, the client's secret.
  func secrets() throws -> [String] {
    var secrets = [AuthorizationServer.clientSecret]
    for form in try server.requests("/token") + server.requests("/revoke") {
      secrets += ["code", "code_verifier", "refresh_token", "token"].compactMap { form[$0] }
    }
    if let token = try? token() {
      secrets += ["token", "refresh_token"].compactMap { token[$0] as? String }
    }
    return Array(Set(secrets)).filter { !$0.isEmpty }
  }
}
