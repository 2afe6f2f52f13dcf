import Foundation
import PabalTesting
import Testing

/// Two nodes of `pabal serve` on one PostgreSQL database, and the commands beside them.
@Suite(.enabled("needs PostgreSQL") { PostgreSQLServer.isAvailable })
struct TwoNodesTests {
  private func uri(_ database: String) throws -> String {
    let server = try PostgreSQLServer.shared()
    return "postgresql://postgres@\(server.socket.replacing("/", with: "%2F")):\(server.port)/\(database)"
  }

  private func configuration(_ storage: String) -> String {
    let more =
      #""serve": { "listen": "127.0.0.1:0", "clients": { CLIENTS } }, "storage": \#(storage), "verification": { "cooldown": "1h" },"#
    return TestSite.shipped.replacing("\"from\":", with: "\(more)\n  \"from\":")
  }

  @Test func `a verification that one node starts is checked by the other, once`() async throws {
    try await PostgreSQLServer.shared().withDatabase { database in
      let site = try TestSite(configuration(#"{ "postgresql": "\#(try uri(database))" }"#))
      let first = try ServingSite(site)
      let second = try ServingSite(site, key: first.key)
      let started = try first.object("/v1/verifications", #"{"to": "you@example.org"}"#)
      let id = try #require(started["id"] as? String)
      try eventually { !site.mails.isEmpty }
      let code = try site.newestCode()
      let wrong = code == "000000" ? "111111" : "000000"
      func check(_ node: ServingSite, _ code: String) throws -> String? {
        try node.object("/v1/verifications/\(id)/check", #"{"code": "\#(code)"}"#)["outcome"] as? String
      }
      #expect(try check(second, wrong) == "mismatch")
      #expect(try first.object("/v1/verifications/\(id)")["attempts_remaining"] as? Int == 4)
      #expect(try check(second, code) == "approved")
      #expect(try check(first, code) == "already_approved")
      // The cooldown of an address holds on both nodes.
      #expect(try second.start("you@example.org") == 429)
      #expect(try second.start("somebody-else@example.org") == 202)
      try eventually {
        try site.pabal("outbox", "--json").json["counts"] as? [String: Int] == ["sent": 2]
      }
      try first.stop()
      try second.stop()

      // Another key is refused by every command.
      let other = try TestSite(
        configuration(#"{ "postgresql": "\#(try uri(database))" }"#).replacing("CLIENTS", with: ""))
      let refused = try other.pabal("outbox")
      #expect(refused.status == 78 && refused.errors.contains("belongs to another master key"))
    }
  }

  @Test func `an installation moves to PostgreSQL and back by a command`() async throws {
    try await PostgreSQLServer.shared().withDatabase { database in
      let site = try TestSite()
      let id = try site.startedID("--queue")
      let address = try uri(database)
      let sqlite = try String(contentsOfFile: "\(site.directory.path)/config.json", encoding: .utf8)
      let postgresql = sqlite.replacing(
        "\"from\":", with: "\"storage\": { \"postgresql\": \"\(address)\" },\n  \"from\":")
      let unchanged = try site.pabal("storage", "copy", "--from", "pabal.sqlite")
      #expect(unchanged.status == 78 && unchanged.errors.contains("both databases are SQLite files"))

      try site.directory.write(postgresql, to: "config.json")
      let copied = try site.pabal("storage", "copy", "--from", "pabal.sqlite", "--json").json
      #expect(copied["unfinished_mails"] as? Int == 1 && copied["verifications"] as? Int == 1)
      let renamed = try #require(copied["renamed"] as? String)
      #expect(renamed.contains("copied-") && FileManager.default.fileExists(atPath: renamed))
      let repeated = try site.pabal("storage", "copy", "--from", "pabal.sqlite")
      #expect(repeated.status == 78 && repeated.errors.contains("nothing is left to do"))
      let backup = try site.pabal("storage", "backup", "x.sqlite")
      #expect(backup.status == 78 && backup.errors.contains("pg_dump"))

      try site.directory.write(sqlite, to: "config.json")
      let back = try site.pabal(
        "storage", "copy", "--from-env", "DATABASE", environment: ["DATABASE": address])
      #expect(
        back.status == 0 && back.output.contains("1 mail, 1 not sent yet, 1 verification"), "\(back.errors)")
      let served = try site.pabal("outbox", "--json").json["counts"] as? [String: Int]
      #expect(served == ["waiting": 1])
      #expect(try site.pabal("verify", "status", id).status == 0)
    }
  }
}
