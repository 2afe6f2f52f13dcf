import Foundation
import PabalTesting
import Testing

/// `pabal check` tries what `pabal serve` needs.
@Suite struct ServeNeedsTests {
  private func step(_ part: String, _ run: ChildProcess) throws -> [String: Any] {
    let steps = try #require(JSONSerialization.jsonObject(with: Data(run.bytes)) as? [[String: Any]])
    return try #require(steps.first { $0["part"] as? String == part }, "\(run.output)")
  }

  private func messages(_ step: [String: Any]) -> [String] {
    (step["findings"] as? [[String: Any]] ?? []).compactMap { $0["what"] as? String }
  }

  @Test func `storage that doesn't exist is tried and not created`() throws {
    let site = try TestSite(
      TestSite.shipped(
        with: #""storage": { "path": "data/pabal.sqlite" }, "keys": { "directory": "a/b/keys" }"#))
    let run = try site.pabal("check", "--json")
    #expect(run.status == 0, "\(run.output)")
    #expect(try step("storage", run)["detail"] as? String == "will be created on first use")
    for name in ["data", "a"] {
      #expect(!FileManager.default.fileExists(atPath: "\(site.directory.path)/\(name)"))
    }
  }

  @Test(.enabled(if: geteuid() == 0, "only root can mount"), arguments: [true, false])
  func `a folder that can't be written is found before serve needs it`(isNew: Bool) throws {
    let site = try TestSite()
    if !isNew { try site.start("--queue") }
    func readOnly(_ command: String) throws -> ChildProcess {
      try ChildProcess.run(
        "unshare",
        [
          "-m", "sh", "-c",
          "mount --bind . . && cd \"$PWD\" && mount -o remount,ro,bind . && exec timeout 20 \"$0\" \(command)",
          "\(BuiltProducts.directory)/pabal",
        ], environment: TestSite.cleanEnvironment, directory: site.directory.path)
    }
    let check = try readOnly("check --json")
    #expect(check.status == 78, "\(check.output)\(check.errors)")
    #expect(try step("storage", check)["ok"] as? Bool == false)
    let serve = try readOnly("serve")
    #expect(serve.status == 78, "\(serve.errors)")
  }

  @Test(.enabled(if: geteuid() == 0, "only root can mount a small disk"))
  func `a full disk is found before serve needs it`() throws {
    let site = try TestSite(TestSite.shipped(with: #""storage": { "path": "disk/pabal.sqlite" }"#))
    let script = """
      mkdir disk && mount -t tmpfs -o size=1m none disk && cat /dev/zero > disk/filler 2>/dev/null
      "$0" check; echo status $?
      """
    let run = try ChildProcess.run(
      "unshare", ["-m", "bash", "-c", script, "\(BuiltProducts.directory)/pabal"],
      directory: site.directory.path)
    #expect(
      run.output.contains("can't grow: the disk is full") && run.output.contains("status 75"), "\(run.output)"
    )
  }

  @Test func `an address that another program uses is found, and a running Pabal isn't an error`() throws {
    let listener = try InteractiveProcess(
      "/usr/bin/python3",
      [
        "-c",
        """
        import socket, sys
        s = socket.create_server(("127.0.0.1", 0))
        print(f"port={s.getsockname()[1]}.", file=sys.stderr, flush=True)
        sys.stdin.readline()
        """,
      ], directory: "/tmp")
    let port = try #require(try listener.transcript(until: ".").firstMatch(of: /port=(\d+)/)?.1)
    let site = try TestSite(
      TestSite.shipped(with: #""serve": { "listen": "127.0.0.1:\#(port)", "keyless": true }"#))
    let taken = try site.pabal("check", "--json")
    #expect(taken.status == 78)
    #expect(messages(try step("serve", taken)).first?.contains("can't listen on 127.0.0.1:\(port)") == true)
    try listener.type(line: "")
    _ = try listener.finish()
    let free = try site.pabal("check", "--json")
    #expect(free.status == 0, "\(free.output)")
    #expect(try step("serve", free)["detail"] as? String == "can listen")
    let server = try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve"], environment: TestSite.cleanEnvironment,
      directory: site.directory.path)
    try server.transcript(until: "listening")
    let running = try site.pabal("check", "--json")
    #expect(running.status == 0, "\(running.output)")
    #expect(try step("serve", running)["detail"] as? String == "a running Pabal listens there")
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
  }
}
