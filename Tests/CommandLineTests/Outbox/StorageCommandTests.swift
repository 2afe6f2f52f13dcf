import Foundation
import PabalTesting
import Testing

/// `pabal storage backup` and `pabal storage restore`.
@Suite struct StorageCommandTests {
  private func backup(_ site: TestSite, _ file: String = "copy.sqlite") throws -> [String: Any] {
    let run = try site.pabal("storage", "backup", file, "--json")
    #expect(run.status == 0, "\(run.errors)")
    return try run.json
  }

  @Test func `a backup beside a running service is complete, private, and never replaces a file`() throws {
    let http = try HTTPTestSite()
    for number in 0..<5 { #expect(try http.start("k\(number)@example.org").status == 202) }
    let made = try backup(http.site)
    #expect(
      made["mails"] as? Int == 5 && made["unfinished_mails"] as? Int == 0
        && made["verifications"] as? Int == 5)
    let file = "\(http.site.directory.path)/copy.sqlite"
    let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let again = try http.site.pabal("storage", "backup", "copy.sqlite")
    #expect(again.status == 73 && again.errors.contains("the file exists"), "\(again.errors)")
    let nowhere = try http.site.pabal("storage", "backup", "no/such/folder/copy.sqlite")
    #expect(nowhere.status == 73)
    #expect(
      nowhere.errors
        == "pabal: error: no/such/folder: directory not found; create it, or choose another one\n")
    let names = try FileManager.default.contentsOfDirectory(atPath: http.site.directory.path)
    #expect(!names.contains { $0.contains("partial") })
    #expect(try http.start("more@example.org").status == 202)
    // Not beside a running service.
    let busy = try http.site.pabal("storage", "restore", "copy.sqlite")
    #expect(busy.status == 75 && busy.errors.contains("is locked by another process"), "\(busy.errors)")
    #expect(try http.stop().status == 0)
  }

  @Test func `a restored copy sends what waited, and the database that was there is kept`() throws {
    let site = try TestSite()
    try site.start("--queue")
    _ = try backup(site)
    #expect(try site.pabal("verify", "start", "lee@example.org", "--queue").status == 0)
    let run = try site.pabal("storage", "restore", "copy.sqlite", "--json")
    #expect(run.status == 0, "\(run.errors)")
    #expect(try run.json["unfinished_mails"] as? Int == 1)
    let replaced = try #require(try run.json["replaced"] as? String)
    #expect(FileManager.default.fileExists(atPath: replaced))
    #expect(try site.outbox().count == 1)
    #expect(try site.pabal("check").output.contains("ok  storage"))
    let cancelled = try site.pabal("storage", "restore", "copy.sqlite", "--cancel-waiting", "--json").json
    #expect(cancelled["cancelled_mails"] as? Int == 1 && cancelled["unfinished_mails"] as? Int == 0)
    #expect(try site.outbox().first?["state"] as? String == "cancelled")
  }

  @Test func `mail that must not be sent twice ends as unknown`() throws {
    let site = try TestSite(TestSite.shipped(with: #""outbox": { "unknown": "keep" }"#))
    try site.start("--queue")
    _ = try backup(site)
    let script =
      "import sqlite3; c = sqlite3.connect('copy.sqlite'); c.execute(\"update mail set unknown = 'keep'\"); c.commit()"
    #expect(try ChildProcess.run("python3", ["-c", script], directory: site.directory.path).status == 0)
    let run = try site.pabal("storage", "restore", "copy.sqlite", "--json")
    #expect(try run.json["unknown_mails"] as? Int == 1, "\(run.errors)")
    #expect(try site.outbox().first?["state"] as? String == "unknown")
  }

  @Test func `what isn't a backup of this key is refused and changes nothing`() throws {
    let site = try TestSite()
    try site.start("--queue")
    let id = try #require(try site.outbox().first?["id"] as? String)
    let other = try TestSite()
    try other.start("--queue")
    _ = try backup(other)
    try site.directory.copy("\(other.directory.path)/copy.sqlite", to: "foreign.sqlite")
    try site.directory.write(String(repeating: "no database at all\n", count: 500), to: "text.sqlite")
    for (file, text) in [
      ("foreign.sqlite", "belongs to another master key"), ("text.sqlite", "isn't a database of Pabal"),
      ("missing.sqlite", "missing.sqlite: file not found; name the file that"),
    ] {
      let run = try site.pabal("storage", "restore", file)
      #expect(run.status == 78 && run.errors.contains(text), "\(run.errors)")
    }
    #expect(try site.outbox().map { $0["id"] as? String } == [id])
    let names = try FileManager.default.contentsOfDirectory(atPath: site.directory.path)
    #expect(!names.contains { $0.contains("restore-") || $0.contains("replaced-") })
    let empty = try TestSite()
    #expect(try empty.pabal("storage", "backup", "x.sqlite").status == 78)
    #expect(!FileManager.default.fileExists(atPath: "\(empty.directory.path)/pabal.sqlite"))
  }
}
