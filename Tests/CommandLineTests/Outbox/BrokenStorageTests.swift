import Foundation
import PabalTesting
import Testing

/// Unusable storage: commands report why, with status 78 or 75, and don't change it.
@Suite struct BrokenStorageTests {
  private let commands = [
    ["verify", "start", "you@example.org"], ["verify", "check", "X", "123456"], ["outbox"], ["serve"],
  ]

  private func expectAll(_ site: TestSite, _ status: Int32, _ error: String) throws {
    for command in commands {
      // A `serve` that finds no error would not end.
      let run = try ChildProcess.run(
        "timeout", ["20", "\(BuiltProducts.directory)/pabal"] + command, directory: site.directory.path)
      #expect(run.status == status, "\(command): \(run.errors)")
      #expect(run.errors.contains(error), "\(command): \(run.errors)")
      #expect(run.errors.split(separator: "\n").count == 1)
    }
  }

  /// Executes an SQL statement in the site's database.
  private func change(_ site: TestSite, _ statement: String) throws {
    let script =
      "import sqlite3, sys; c = sqlite3.connect('pabal.sqlite'); c.execute(sys.argv[1]); c.commit()"
    let run = try ChildProcess.run("python3", ["-c", script, statement], directory: site.directory.path)
    #expect(run.status == 0, "\(run.errors)")
  }

  @Test func `another master key is rejected and never shown`() throws {
    let site = try TestSite()
    try site.start()
    let key = String(repeating: "0f", count: 32)
    try site.directory.write(key, to: "keys/current.key")
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o600], ofItemAtPath: "\(site.directory.path)/keys/current.key")
    try expectAll(site, 78, "belongs to another master key; restore its key")
  }

  @Test func `no new key is created for existing storage`() throws {
    let site = try TestSite()
    try site.start()
    try FileManager.default.removeItem(atPath: "\(site.directory.path)/keys/current.key")
    try expectAll(site, 78, "is missing")
    #expect(!FileManager.default.fileExists(atPath: "\(site.directory.path)/keys/current.key"))
  }

  @Test func `a key that other users can read is rejected`() throws {
    let site = try TestSite()
    try site.start()
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o644], ofItemAtPath: "\(site.directory.path)/keys/current.key")
    try expectAll(site, 78, "current.key")
  }

  @Test func `the first use creates key and storage that only the owner can read`() throws {
    let site = try TestSite()
    try site.start()
    for (name, mode) in [("keys", 0o700), ("keys/current.key", 0o600), ("pabal.sqlite", 0o600)] {
      let facts = try FileManager.default.attributesOfItem(atPath: "\(site.directory.path)/\(name)")
      #expect(facts[.posixPermissions] as? Int == mode, "\(name)")
    }
  }

  @Test func `a key in the configuration replaces the key files`() throws {
    let key = #""keys": { "current": { "env": "PABAL_TEST_KEY" } }"#
    let site = try TestSite(TestSite.shipped(with: key))
    let environment = ["PABAL_TEST_KEY": String(repeating: "5a", count: 32)]
    #expect(try site.pabal("verify", "start", TestSite.address, environment: environment).status == 0)
    #expect(!FileManager.default.fileExists(atPath: "\(site.directory.path)/keys"))
    let other = try site.pabal("outbox", environment: ["PABAL_TEST_KEY": String(repeating: "5b", count: 32)])
    #expect(other.status == 78)
    #expect(!other.errors.contains("5b5b"))
    let none = try site.pabal("outbox", environment: ["PABAL_TEST_KEY": "hunter2"])
    #expect(none.status == 78)
    #expect(none.errors.contains("not a key") && !none.errors.contains("hunter2"))
  }

  @Test func `storage of a newer version is rejected and not changed`() throws {
    let site = try TestSite()
    try site.start()
    try change(site, "PRAGMA user_version = 99")
    try expectAll(site, 78, "was written by a newer Pabal: it has version 99")
  }

  @Test func `a file that isn't a database is rejected and not changed`() throws {
    let site = try TestSite()
    try site.start()
    for log in ["-wal", "-shm"] {
      try? FileManager.default.removeItem(atPath: "\(site.directory.path)/pabal.sqlite\(log)")
    }
    let bytes = String(repeating: "no database at all\n", count: 500)
    let path = try site.directory.write(bytes, to: "pabal.sqlite")
    try expectAll(site, 78, "is damaged or isn't a database of Pabal")
    #expect(try String(contentsOfFile: path, encoding: .utf8) == bytes)
  }

  @Test func `a damaged file is rejected or read, without a crash`() throws {
    let site = try TestSite()
    for number in 0..<3 { _ = try site.pabal("verify", "start", "k\(number)@example.org", "--queue") }
    try change(site, "PRAGMA wal_checkpoint(TRUNCATE)")
    let path = "\(site.directory.path)/pabal.sqlite"
    let whole = try Data(contentsOf: URL(filePath: path))
    for part in 1..<6 {
      var torn = whole
      let middle = torn.count * part / 6
      torn.replaceSubrange(middle..<min(torn.count, middle + 4_096), with: Data(repeating: 0xA5, count: 64))
      try torn.write(to: URL(filePath: path))
      for command in [["outbox"], ["verify", "start", "new\(part)@example.org"]] {
        let run = try ChildProcess.run(
          "\(BuiltProducts.directory)/pabal", command, directory: site.directory.path)
        #expect([0, 65, 75, 78].contains(run.status), "\(part) \(command): \(run.status) \(run.errors)")
        if run.status != 0 { #expect(run.errors.contains("pabal.sqlite")) }
      }
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can act as another user"))
  func `a read-only file and an inaccessible one have different errors`() throws {
    let key = #""keys": { "current": { "env": "PABAL_TEST_KEY" } }"#
    let site = try TestSite(TestSite.shipped(with: key))
    let environment: [String: String?] = ["PABAL_TEST_KEY": String(repeating: "5a", count: 32)]
    #expect(try site.pabal("verify", "start", TestSite.address, environment: environment).status == 0)
    let programs = ["pabal", "pabal-main"]
    for name in programs { try site.directory.copy("\(BuiltProducts.directory)/\(name)", to: name) }
    func asNobody() throws -> ChildProcess {
      try ChildProcess.run(
        "setpriv", ["--reuid=65534", "--clear-groups", "./pabal", "outbox"], environment: environment,
        directory: site.directory.path)
    }
    for name in [""] + programs.map({ "/\($0)" }) {
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o755], ofItemAtPath: site.directory.path + name)
    }
    let closed = try asNobody()
    #expect(closed.status == 78)
    #expect(closed.errors.contains("can't be opened or created by this user"), "\(closed.errors)")
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o644], ofItemAtPath: "\(site.directory.path)/pabal.sqlite")
    let readable = try asNobody()
    #expect(readable.status == 78)
    #expect(readable.errors.contains("isn't writable"), "\(readable.errors)")
  }

  @Test func `storage locked by another program is busy, and usable again later`() throws {
    let site = try TestSite()
    try site.start()
    let holder = try InteractiveProcess(
      "/usr/bin/python3",
      [
        "-c",
        """
        import sqlite3, sys
        c = sqlite3.connect("pabal.sqlite", isolation_level=None)
        c.execute("BEGIN IMMEDIATE")
        print("held", file=sys.stderr, flush=True)
        sys.stdin.readline()
        """,
      ], directory: site.directory.path)
    try holder.transcript(until: "held")
    let run = try site.pabal("verify", "start", "kim@example.org")
    #expect(run.status == 75, "\(run.errors)")
    #expect(run.errors.contains("is locked by another process; try again"))
    try holder.type(line: "")
    #expect(try holder.finish().status == 0)
    #expect(try site.pabal("verify", "start", "kim@example.org").status == 0)
    #expect(site.mails.count == 2)
  }

  @Test(.enabled(if: geteuid() == 0, "only root can mount a small disk"))
  func `on a full disk a start fails, nothing is lost, and it works again after space is freed`() throws {
    let site = try TestSite(TestSite.shipped(with: #""storage": { "path": "disk/pabal.sqlite" }"#))
    let script = """
      mkdir disk && mount -t tmpfs -o size=1m none disk || { echo no mount; exit; }
      "$0" verify start a@example.org; echo first $?
      cat /dev/zero > disk/filler 2>/dev/null
      for number in 1 2 3 4 5 6 7 8 9; do "$0" verify start b$number@example.org --queue; done 2>&1; echo full $?
      rm disk/filler
      "$0" verify start c@example.org; echo again $?
      "$0" outbox
      """
    let run = try ChildProcess.run(
      "unshare", ["-m", "bash", "-c", script, "\(BuiltProducts.directory)/pabal"],
      directory: site.directory.path)
    try #require(!run.output.contains("no mount"), "\(run.errors)")
    #expect(run.output.contains("first 0") && run.output.contains("again 0"), "\(run.output)")
    #expect(run.output.contains("full 75"), "\(run.output)")
    #expect(run.output.contains("can't grow: the disk is full; free some space"), "\(run.output)")
    let lines = run.output.split(separator: "\n")
    let acknowledged = lines.count { $0.hasPrefix("pending  ") }
    let listed = lines.count { $0.contains("  sent  code  ") || $0.contains("  waiting  code  ") }
    #expect(acknowledged == listed, "\(run.output)")
  }
}
