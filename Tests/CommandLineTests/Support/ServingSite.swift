import Foundation
import PabalTesting
import Testing

/// A site with a running `pabal serve`.
struct ServingSite {
  let site: TestSite
  let server: InteractiveProcess
  let port: Int
  let key: String

  /// Starts `pabal serve` for `site`. Without `key`, adds a client in place of `CLIENTS` in the configuration.
  init(
    _ site: TestSite, _ more: String..., key: String? = nil, environment: [String: String?] = [:]
  ) throws {
    self.site = site
    self.key = try key ?? ServingSite.addClient(to: site)
    server = try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve"] + more,
      environment: TestSite.cleanEnvironment.merging(environment) { $1 },
      directory: site.directory.path)
    let transcript = try server.transcript(until: " port=")
    let match = try #require(transcript.firstMatch(of: /\sport=(\d+)/))
    port = try #require(Int(match.1))
  }

  /// Adds a client to the configuration and returns its key.
  private static func addClient(to site: TestSite) throws -> String {
    let made = try site.pabal("keys", "client", "shop", "--json").json
    let digest = try #require(made["configured"] as? String)
    let written = try site.configured()
    try site.directory.write(
      written.replacing("CLIENTS", with: "\"shop\": \"\(digest)\""), to: "config.json")
    return try #require(made["key"] as? String)
  }

  /// The member `serve` of `config.json` for one client.
  static let serve = #""serve": { "listen": "127.0.0.1:0", "clients": { CLIENTS } }"#

  /// Sends a GET request, or a POST request if there is a body.
  func ask(_ path: String, _ body: String? = nil, key: String? = nil) throws -> (status: Int, body: String) {
    var arguments = ["-s", "-w", "\n%{http_code}", "-H", "Authorization: Bearer \(key ?? self.key)"]
    if let body { arguments += ["-H", "Content-Type: application/json", "-d", body] }
    let run = try ChildProcess.run("curl", arguments + ["http://127.0.0.1:\(port)\(path)"])
    let lines = run.output.split(separator: "\n", omittingEmptySubsequences: false)
    return (Int(lines.last ?? "") ?? 0, lines.dropLast().joined(separator: "\n"))
  }

  /// Sends a request and returns the response as a JSON object.
  func object(_ path: String, _ body: String? = nil) throws -> [String: Any] {
    let answer = try ask(path, body)
    return try #require(
      JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any], "\(answer)")
  }

  /// Starts a verification and returns the status of the response.
  func start(_ address: String) throws -> Int {
    try ask("/v1/verifications", #"{"to": "\#(address)"}"#).status
  }

  /// Returns the detail `name` of `/readyz`.
  func detail(_ name: String) throws -> String {
    let detail = try object("/readyz")["detail"] as? [String: String]
    return try #require(detail?[name])
  }

  /// Waits until the detail `configuration` of `/readyz` contains `text`.
  func configuration(is text: String) throws {
    try eventually { try detail("configuration").contains(text) }
  }

  /// Stops the server and returns its log.
  @discardableResult
  func stop() throws -> String {
    server.signal(SIGTERM)
    let end = try server.finish()
    #expect(end.status == 0)
    return end.errors
  }
}

extension TestSite {
  /// Returns the content of `config.json`.
  func configured() throws -> String {
    try String(contentsOfFile: "\(directory.path)/config.json", encoding: .utf8)
  }

  /// Replaces `old` with `new` in `config.json`, by renaming a new file as editors do.
  func edit(_ old: String, _ new: String) throws {
    let text = try configured()
    #expect(text.contains(old))
    try directory.write(text.replacing(old, with: new), to: ".config.json.new")
    #expect(rename("\(directory.path)/.config.json.new", "\(directory.path)/config.json") == 0)
  }

  /// Renames all tables, so that the storage can't be read or written.
  func loseTables() throws {
    let script =
      "import sqlite3; c = sqlite3.connect('pabal.sqlite'); "
      + "[c.execute(f'alter table {n} rename to away_{n}') for n, in c.execute("
      + "\"select name from sqlite_schema where type = 'table' and name not like 'sqlite%'\").fetchall()]; c.commit()"
    let run = try ChildProcess.run("python3", ["-c", script], directory: directory.path)
    #expect(run.status == 0, "\(run.errors)")
  }

  /// Returns the names of the mails in a folder next to the configuration.
  func mails(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/\(folder)")) ?? []).filter {
      $0.hasSuffix(".eml")
    }
  }
}
