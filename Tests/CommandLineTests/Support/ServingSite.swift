import Foundation
import PabalTesting
import Testing

/// A site whose `pabal serve` answers over HTTP.
struct ServingSite {
  let site: TestSite
  let server: InteractiveProcess
  let port: Int
  let key: String

  /// Serves `site`, whose configuration has `serve` with `CLIENTS` where the clients stand, or the client of `key`.
  init(
    _ site: TestSite, _ more: String..., key: String? = nil, environment: [String: String?] = [:]
  ) throws {
    self.site = site
    self.key = try key ?? ServingSite.addClient(to: site)
    let clean: [String: String?] = ["PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "PABAL_PLUGIN_PATH": nil]
    server = try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve"] + more, environment: clean.merging(environment) { $1 },
      directory: site.directory.path)
    let transcript = try server.transcript(until: " port=")
    let match = try #require(transcript.firstMatch(of: /\sport=(\d+)/))
    port = try #require(Int(match.1))
  }

  /// Puts a new client into the configuration; gives its key.
  private static func addClient(to site: TestSite) throws -> String {
    let made = try site.pabal("keys", "client", "shop", "--json").json
    let digest = try #require(made["configured"] as? String)
    let written = try site.configured()
    try site.directory.write(
      written.replacing("CLIENTS", with: "\"shop\": \"\(digest)\""), to: "config.json")
    return try #require(made["key"] as? String)
  }

  /// What stands in `config.json` for a service with one client.
  static let serve = #""serve": { "listen": "127.0.0.1:0", "clients": { CLIENTS } }"#

  /// What the service answers; a body makes it a POST.
  func ask(_ path: String, _ body: String? = nil, key: String? = nil) throws -> (status: Int, body: String) {
    var words = ["-s", "-w", "\n%{http_code}", "-H", "Authorization: Bearer \(key ?? self.key)"]
    if let body { words += ["-H", "Content-Type: application/json", "-d", body] }
    let run = try ChildProcess.run("curl", words + ["http://127.0.0.1:\(port)\(path)"])
    let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
    return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
  }

  /// The answer as a JSON object.
  func object(_ path: String, _ body: String? = nil) throws -> [String: Any] {
    let answer = try ask(path, body)
    return try #require(
      JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any], "\(answer)")
  }

  /// Starts a verification; gives the status.
  func start(_ address: String) throws -> Int {
    try ask("/v1/verifications", #"{"to": "\#(address)"}"#).status
  }

  /// What `/readyz` says of `name`.
  func detail(_ name: String) throws -> String {
    let detail = try object("/readyz")["detail"] as? [String: String]
    return try #require(detail?[name])
  }

  /// Returns once `/readyz` says of the configuration what begins like that.
  func configuration(is words: String) throws {
    try eventually { try detail("configuration").contains(words) }
  }

  /// Stops it; gives all it said.
  @discardableResult
  func stop() throws -> String {
    server.signal(SIGTERM)
    let end = try server.finish()
    #expect(end.status == 0)
    return end.errors
  }
}

extension TestSite {
  /// What stands in `config.json`.
  func configured() throws -> String {
    try String(contentsOfFile: "\(directory.path)/config.json", encoding: .utf8)
  }

  /// Writes `config.json` with `old` exchanged for `new`, beside it first and then in its place as editors do.
  func edit(_ old: String, _ new: String) throws {
    let text = try configured()
    #expect(text.contains(old))
    try directory.write(text.replacing(old, with: new), to: ".config.json.new")
    #expect(rename("\(directory.path)/.config.json.new", "\(directory.path)/config.json") == 0)
  }

  /// Makes a store of which nothing can be read or written any more.
  func loseTables() throws {
    let script =
      "import sqlite3; c = sqlite3.connect('pabal.sqlite'); "
      + "[c.execute(f'alter table {n} rename to away_{n}') for n, in c.execute("
      + "\"select name from sqlite_schema where type = 'table' and name not like 'sqlite%'\").fetchall()]; c.commit()"
    let run = try ChildProcess.run("python3", ["-c", script], directory: directory.path)
    #expect(run.status == 0, "\(run.errors)")
  }

  /// The names of the mails in a folder beside the configuration.
  func mails(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/\(folder)")) ?? []).filter {
      $0.hasSuffix(".eml")
    }
  }
}
