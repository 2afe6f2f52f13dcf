import Foundation
import PabalTesting
import Testing

/// The drop directory of a `pabal serve` that isn't root, as packages install it.
@Suite(.enabled(if: geteuid() == 0, "needs other users")) struct DropUserTests {
  // Users of every Debian system: the service, and two who send.
  private static let service: uid_t = 34
  private static let (kim, lee): (uid_t, uid_t) = (65_534, 1)

  private let site: TestSite
  private var drop: String { "\(site.directory.path)/drop" }

  init() throws {
    site = try TestSite()
    let path = site.directory.path
    try site.directory.write(
      TestSite.shipped(
        with: """
          "serve": { "listen": "127.0.0.1:0", "keyless": true,
            "submission": { "socket": "\(path)/submit", "drop": "\(path)/drop" } }
          """), to: "config.json")
    try FileManager.default.createDirectory(atPath: drop, withIntermediateDirectories: false)
    #expect(try ChildProcess.run("chown", ["-R", "\(Self.service):\(Self.service)", path]).status == 0)
    #expect(chmod(path, 0o755) == 0 && chmod(drop, 0o3733) == 0)
    try FileManager.default.createSymbolicLink(
      atPath: "\(path)/sendmail", withDestinationPath: "\(BuiltProducts.directory)/pabal")
  }

  /// Runs a program as a user.
  private func run(as user: uid_t, _ words: [String], input: String = "") throws -> ChildProcess {
    try ChildProcess.run(
      "setpriv", ["--reuid=\(user)", "--regid=\(user)", "--clear-groups"] + words, input: Array(input.utf8),
      directory: site.directory.path)
  }

  /// Leaves a mail in the drop directory.
  private func leave(as user: uid_t, _ subject: String) throws -> ChildProcess {
    try run(
      as: user,
      ["\(site.directory.path)/sendmail", "--socket", "/nonexistent", "--drop", drop, "you@example.com"],
      input: "Subject: \(subject)\n\ntext\n")
  }

  private func serve() throws -> (server: InteractiveProcess, port: String) {
    let server = try InteractiveProcess(
      "/usr/bin/setpriv",
      [
        "--reuid=\(Self.service)", "--regid=\(Self.service)", "--clear-groups",
        "\(BuiltProducts.directory)/pabal",
        "serve",
      ], environment: TestSite.cleanEnvironment, directory: site.directory.path)
    let log = try server.transcript(until: "Z listening host=")
    let more = try server.transcript(until: "\n")
    let port = try #require((log + more).firstMatch(of: /Z listening host=127.0.0.1 port=(\d+)/)).1
    return (server, String(port))
  }

  @Test func `files that the service may not read keep no other mail waiting`() throws {
    let script = """
      import os, sys
      for number in range(2_500):
          path = os.path.join(sys.argv[1], "0000000000000000000000%04d" % number)
          open(path, "w").write("x")
          os.chown(path, -1, os.getgid())
          os.chmod(path, 0o440)
      """
    #expect(try run(as: Self.kim, ["/usr/bin/python3", "-c", script, drop]).status == 0)
    let (server, port) = try serve()
    let left = try leave(as: Self.lee, "hello")
    #expect(left.status == 0, "\(left.errors)")
    try eventually { site.mails.count == 1 }
    #expect(try site.onlyMail().contains("Subject: hello"))
    // Once their owner lets the service read them, they are read, and aren't mails.
    let name = "\(drop)/00000000000000000000000000"
    #expect(chown(name, Self.kim, Self.service) == 0 && chmod(name, 0o440) == 0)
    try eventually { !name.exists }
    #expect("\(drop)/refused/00000000000000000000000000".exists)
    #expect(
      try ChildProcess.run("curl", ["-s", "http://127.0.0.1:\(port)/readyz"]).output.contains(
        #""status":"ready""#))
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
  }

  @Test func `a directory of another user is reported by check, readyz and the log, with what to do`() throws
  {
    #expect(chown(drop, 0, 0) == 0 && chmod(drop, 0o3733) == 0)
    let remedy = "change its owner, and that of the files in it, to the user of pabal serve"
    let check = try run(as: Self.service, ["\(BuiltProducts.directory)/pabal", "check"])
    #expect(check.status == 78)
    #expect(check.output.contains(remedy), "\(check.output)")
    let (server, port) = try serve()
    let ready = try ChildProcess.run("curl", ["-s", "http://127.0.0.1:\(port)/readyz"]).output
    #expect(ready.contains(#""status":"degraded""#) && ready.contains(remedy), "\(ready)")
    // Its file has the group of the directory, which the service doesn't have.
    #expect(try leave(as: Self.lee, "late").status == 0)
    let moved = try ChildProcess.run("chown", ["-R", "34:34", drop])
    #expect(moved.status == 0 && chmod(drop, 0o3733) == 0)
    // The owner of a file is who sent it, so that of the mail is now the service itself.
    try eventually { site.mails.count == 1 }
    server.signal(SIGTERM)
    let end = try server.finish()
    #expect(end.status == 0 && end.errors.contains("drop closed"), "\(end.errors)")
  }
}
