import Foundation
import PabalTesting
import Testing

/// `/readyz` and the log report whether a start of a verification would succeed.
@Suite struct ReadinessTests {
  private static let keyless = #""serve": { "listen": "127.0.0.1:0", "keyless": true }"#

  private func log(_ http: HTTPTestSite) throws -> String {
    try String(contentsOfFile: "\(http.site.directory.path)/log", encoding: .utf8)
  }

  /// Breaks a file of the verification message.
  private func breakMessage(_ site: TestSite, _ file: String) throws {
    let path = "messages/verification/\(file)"
    let text = try String(contentsOfFile: "\(site.directory.path)/\(path)", encoding: .utf8)
    try site.directory.write(text.replacing("{{code}}", with: "{{cod}}"), to: path)
  }

  private func start(_ http: HTTPTestSite, _ language: String?) throws -> HTTPTestSite.Response {
    let languages = language.map { #", "language": ["\#($0)"]"# } ?? ""
    return try http.call(
      "POST", "/v1/verifications", #"{"to": "k\#(UUID().uuidString.prefix(8))@example.org"\#(languages)}"#)
  }

  @Test
  func `a message that is broken in the default language at the start is loud, and other languages work`()
    throws
  {
    let http = try HTTPTestSite(TestSite.shipped(with: Self.keyless)) { try breakMessage($0, "ko.md") }
    #expect(
      try log(http).contains(
        /message failed message=verification line=\d+ column=\d+ problem="{{cod}} is not declared/))
    #expect(try log(http).contains(/not ready part=messages problem="broken: verification\/ko.md, line \d+/))
    let ready = try http.call("GET", "/readyz")
    #expect(ready.status == 503 && ready["status"] == "not ready")
    #expect((ready.json["detail"] as? [String: String])?["messages"]?.contains("ko.md") == true)
    #expect(try start(http, "en").status == 202)
    for language in ["ko", nil] {
      let failed = try start(http, language)
      #expect(failed.status == 503 && failed["type"] == "/problems/message-broken")
      #expect(
        failed["detail"]?.contains(/verification\/ko.md, line \d+, .*{{cod}} is not declared/) == true,
        "\(failed)")
    }
    #expect(try log(http).contains(/refused problem="the message is broken: verification\/ko.md, line/))
    try http.site.directory.copy("\(BuiltProducts.root)/Sources/Messages", to: "fresh")
    try http.site.directory.write(
      String(contentsOfFile: "\(http.site.directory.path)/fresh/verification/ko.md", encoding: .utf8),
      to: "messages/verification/ko.md")
    try eventually { try http.call("GET", "/readyz")["status"] == "ready" }
    #expect(try log(http).contains(" ready part=messages"))
    #expect(try start(http, "ko").status == 202)
  }

  @Test func `a message that is broken in another language degrades the service`() throws {
    let http = try HTTPTestSite(TestSite.shipped(with: Self.keyless)) { try breakMessage($0, "en.md") }
    #expect(try log(http).contains(" degraded part=messages "))
    let ready = try http.call("GET", "/readyz")
    #expect(ready.status == 200 && ready["status"] == "degraded")
    // A reader of the broken language gets the default one.
    #expect(try start(http, "en").status == 202)
  }

  @Test(arguments: ["pabal.sqlite", "pabal.sqlite-wal", "pabal.sqlite-shm"])
  func `a deleted file of the database is reported at once, and nothing is accepted any more`(name: String)
    throws
  {
    let http = try HTTPTestSite(TestSite.shipped(with: Self.keyless))
    #expect(try start(http, nil).status == 202)
    #expect(try http.call("GET", "/readyz").status == 200)
    try FileManager.default.removeItem(atPath: "\(http.site.directory.path)/\(name)")
    let refused = try start(http, nil)
    #expect(refused.status == 503 && refused["type"] == "/problems/storage-unavailable")
    #expect(refused["detail"]?.hasPrefix("the database was deleted or replaced") == true)
    try eventually { try http.call("GET", "/readyz").status == 503 }
    try eventually { try log(http).contains("\(name) ") && log(http).contains("was deleted or replaced") }
    let end = try http.stop()
    #expect(end.status == 0 && end.log.contains("not ready part=storage"))
  }

  @Test func `a store that another process has locked isn't ready until it is unlocked`() throws {
    let http = try HTTPTestSite(TestSite.shipped(with: Self.keyless))
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
      ], directory: http.site.directory.path)
    try holder.transcript(until: "held")
    try eventually {
      let ready = try http.call("GET", "/readyz")
      let detail = ready.json["detail"] as? [String: String]
      return ready.status == 503 && detail?["storage"]?.contains("is locked by another process") == true
    }
    try holder.type(line: "")
    #expect(try holder.finish().status == 0)
    try eventually { try http.call("GET", "/readyz").status == 200 }
    #expect(try start(http, nil).status == 202)
  }

  @Test func `a damaged store isn't ready`() throws {
    let http = try HTTPTestSite(TestSite.shipped(with: Self.keyless))
    try http.site.loseTables()
    try eventually { try http.call("GET", "/readyz").status == 503 }
    #expect(try start(http, nil).status == 503)
  }

  @Test(.enabled(if: geteuid() == 0, "only root can mount a small disk"))
  func `a full disk isn't ready until space is freed`() throws {
    let setup = """
      mkdir disk; exec unshare -m sh -c 'mount -t tmpfs -o size=2m none disk && exec "$0" serve "$@" 2>log' "$0" "$@"
      """
    let http = try HTTPTestSite(
      TestSite.shipped(with: #""storage": { "path": "disk/pabal.sqlite" }, \#(Self.keyless)"#),
      shellSetup: setup)
    #expect(try start(http, nil).status == 202)
    #expect(try http.call("GET", "/readyz").status == 200)
    func inside(_ command: String) throws -> Int32 {
      try ChildProcess.run(
        "nsenter", ["--mount=/proc/\(http.number)/ns/mnt", "sh", "-c", command],
        directory: http.site.directory.path
      ).status
    }
    let disk = "\(http.site.directory.path)/disk"
    _ = try inside("cat /dev/zero > \(disk)/filler 2>/dev/null")
    // What fits into the log that is there already is still accepted.
    var refused = 0
    try eventually {
      if try start(http, nil).status == 503 { refused += 1 }
      return try refused > 0 && http.call("GET", "/readyz").status == 503
    }
    _ = try inside("rm \(disk)/filler")
    try eventually { try http.call("GET", "/readyz").status == 200 }
    #expect(try start(http, nil).status == 202)
  }

  @Test func `a transport without its secret is held from the start, and the service is degraded`() throws {
    let transports = """
      "relay": { "plugin": "smtp", "host": "127.0.0.1", "port": 1, "user": "pabal",
                 "password": { "env": "PABAL_TEST_UNSET" } },
      """
    let configuration = TestSite.configuration(transport: #"["relay", "file"]"#, more: transports)
      .replacing(#""from""#, with: Self.keyless + #", "from""#)
    let http = try HTTPTestSite(configuration)
    #expect(
      try log(http).contains(
        /\ held transport=relay cause=".*environment variable PABAL_TEST_UNSET is not set/))
    let ready = try http.call("GET", "/readyz")
    #expect(ready.status == 200 && ready["status"] == "degraded")
    let detail = ready.json["detail"] as? [String: String]
    #expect(detail?["relay"]?.contains(/^held since .*PABAL_TEST_UNSET is not set/) == true)
    #expect(try http.start().delivery("status") == "sent")
    let list = try http.site.pabal("outbox", "list", environment: ["PABAL_TEST_UNSET": nil])
    #expect(
      list.output.contains(/^transport relay is held since .*PABAL_TEST_UNSET is not set/), "\(list.output)")
  }

  @Test func `without the secret of the only transport serve doesn't start, and check says so`() throws {
    let transports = """
      "relay": { "plugin": "smtp", "host": "127.0.0.1", "port": 1, "user": "pabal",
                 "password": { "env": "PABAL_TEST_UNSET" } },
      """
    let configuration = TestSite.configuration(transport: #""relay""#, more: transports)
    let site = try TestSite(configuration)
    for command in ["serve", "check"] {
      let run = try ChildProcess.run(
        "timeout", ["20", "\(BuiltProducts.directory)/pabal", command], directory: site.directory.path)
      #expect(run.status == 78, "\(command): \(run.errors)")
      let text = run.output + run.errors
      #expect(text.contains("environment variable PABAL_TEST_UNSET is not set"), "\(command): \(text)")
      #expect(text.contains("a secret of the only transport is missing"), "\(command): \(text)")
    }
    // A command may work at the next attempt, so its failure doesn't keep the service down.
    try site.edit(#"{ "env": "PABAL_TEST_UNSET" }"#, #"{ "command": ["false"] }"#)
    let server = try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve"], environment: TestSite.cleanEnvironment,
      directory: site.directory.path)
    try server.transcript(until: "serving")
    server.signal(SIGTERM)
    let all = try server.finish().errors
    #expect(all.contains(" held transport=relay cause="), "\(all)")
  }

  @Test
  func `every failure of a transport is logged with its cause, and it is restored after a success only`()
    throws
  {
    let site = try TestSite(TestSite.scripted("held:transport", with: Self.keyless))
    try site.addFaultyPlugin()
    try site.start("--queue")
    let server = try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve"], environment: TestSite.cleanEnvironment,
      directory: site.directory.path)
    try server.transcript(until: "held transport=first cause=held:transport")
    // Before anything is corrected, a retry by hand restores nothing.
    #expect(try site.pabal("outbox", "retry", "--all").status == 0)
    try server.transcript(until: "attempts=2")
    #expect(try site.pabal("outbox").output.contains("transport first is held since"))
    try site.edit(#""act": "held:transport""#, #""act": "deferred""#)
    try server.transcript(until: "outcome=deferred")
    try site.edit(#""act": "deferred""#, #""act": "sent""#)
    try server.transcript(until: "restored transport=first")
    server.signal(SIGTERM)
    let log = try server.finish().errors
    #expect(log.contains(/attempt .* outcome=held .*cause=held:transport/), "\(log)")
    #expect(log.contains(/attempt .* outcome=deferred .*cause=deferred/), "\(log)")
    #expect(log.matches(of: /restored/).count == 1 && log.matches(of: #/ held /#).count == 1, "\(log)")
    let success = try #require(log.firstRange(of: "outcome=sent")?.lowerBound)
    let restored = try #require(log.firstRange(of: "restored")?.lowerBound)
    #expect(success < restored)
  }
}
