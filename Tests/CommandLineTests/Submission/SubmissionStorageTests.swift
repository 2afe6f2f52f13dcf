import Foundation
import PabalTesting
import Testing

/// Submissions while the storage refuses to store.
@Suite struct SubmissionStorageTests {
  private let door: SubmissionSite

  init() throws { door = try SubmissionSite(nil) }

  private func site(_ more: String, limits: String = "", setup: String = ":") throws -> HTTPTestSite {
    try HTTPTestSite(
      TestSite.shipped(
        with: """
          "serve": { "listen": "127.0.0.1:0", "keyless": true,
            "submission": { "socket": "\(door.directory.path)/submit", "limits": { "freeSpace": 0 } } }\(more)
          """), shellSetup: setup)
  }

  /// Submits a mail over the socket, and returns the reply to its content or to the command that was refused.
  private func submit(_ subject: String, size: Int = 10) throws -> String {
    let run = try door.sendmail(
      ["-bs"],
      input: """
        EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: \(subject)\r\n\r\n\
        \(String(repeating: "x\r\n", count: size))\r\n.\r\nQUIT\r\n
        """)
    let replies = run.output.split(separator: "\r\n").map(String.init)
    return replies.last { !$0.hasPrefix("221") && !$0.hasPrefix("354") } ?? "\(run)"
  }

  /// The number of mails that are in the outbox.
  private func stored(_ site: HTTPTestSite) throws -> Int {
    let counts = try #require(
      try site.site.pabal("outbox", "list", "--json").json["counts"] as? [String: Int])
    return counts.values.reduce(0, +)
  }

  @Test(.enabled(if: geteuid() == 0, "only root can mount a small disk"))
  func `a full disk is answered with 452, and mail is accepted again once there is space`() throws {
    let site = try site(
      #", "storage": { "path": "disk/pabal.sqlite" }"#,
      setup: """
        mkdir disk; exec unshare -m sh -c 'mount -t tmpfs -o size=2m none disk && exec "$0" serve "$@" 2>log' "$0" "$@"
        """)
    func inside(_ command: String) throws -> ChildProcess {
      try ChildProcess.run(
        "nsenter", ["--mount=/proc/\(site.number)/ns/mnt", "sh", "-c", command],
        directory: site.site.directory.path)
    }
    let disk = "\(site.site.directory.path)/disk"
    #expect(try submit("before").hasPrefix("250 2.0.0"))
    _ = try inside("cat /dev/zero > \(disk)/filler 2>/dev/null")
    var accepted = 1
    var refused = ""
    // What fits into the log that is there already is still accepted.
    try eventually {
      let reply = try submit("full", size: 10_000)
      if reply.hasPrefix("250") { accepted += 1 } else { refused = reply }
      return !refused.isEmpty
    }
    #expect(refused.hasPrefix("452 4.3.1"))
    let run = try door.sendmail(["you@example.com"], input: String(repeating: "text\n", count: 10_000))
    #expect(run.status == 75, "\(run.errors)")
    _ = try inside("rm \(disk)/filler")
    #expect(try submit("after").hasPrefix("250 2.0.0"))
    let listed = try inside(
      "cd \(site.site.directory.path) && \(BuiltProducts.directory)/pabal outbox list --json")
    let counts = try #require(try listed.json["counts"] as? [String: Int], "\(listed.errors)")
    #expect(counts.values.reduce(0, +) == accepted + 1)
    let end = try site.stop()
    #expect(end.status == 0)
    #expect(end.log.contains("submission refused"))
  }

  @Test func `a disk that has become read-only is answered with 451, never with 250`() throws {
    let flag = "\(door.directory.path)/read-only"
    let site = try site(
      "",
      setup: "export LD_PRELOAD=\(BuiltProducts.fixture("readonly")) PABAL_TEST_READ_ONLY=\(flag)")
    #expect(try submit("before").hasPrefix("250 2.0.0"))
    try eventually { site.site.mails.count == 1 }
    try door.directory.write("", to: "read-only")
    for _ in 0..<3 { #expect(try submit("meanwhile").hasPrefix("451 4.3.0")) }
    let run = try door.sendmail(["-f", "a@example.com", "you@example.com"])
    #expect(run.status == 75, "\(run.errors)")
    try FileManager.default.removeItem(atPath: flag)
    #expect(try submit("after").hasPrefix("250 2.0.0"))
    try eventually { site.site.mails.count == 2 }
    #expect(try stored(site) == 2)
    #expect(try site.stop().status == 0)
  }

  @Test func `a hundred thousand recipients are refused one by one, and the mail goes to the first thousand`()
    throws
  {
    let site = try site("")
    let recipients = (0..<100_000).map { "RCPT TO:<r\($0)@example.com>\r\n" }.joined()
    let run = try door.sendmail(
      ["-bs"],
      input:
        "EHLO x\r\nMAIL FROM:<a@example.com>\r\n\(recipients)DATA\r\nSubject: x\r\n\r\ny\r\n.\r\nQUIT\r\n")
    let replies = run.output.split(separator: "\r\n")
    #expect(replies.count { $0.hasPrefix("250 2.1.5") } == 1_000)
    let refused = replies.count { $0.hasPrefix("452 4.5.3") }
    // A client that goes on all the same is disconnected.
    #expect(refused > 0 && refused <= 99_000, "\(replies.suffix(3))")
    let status = try String(contentsOfFile: "/proc/\(site.number)/status", encoding: .utf8)
    let memory = try #require(status.firstMatch(of: /VmHWM:\s+([0-9]+)/).flatMap { Int($0.1) })
    #expect(memory < 200 * 1_024, "KiB")
    #expect(try submit("after").hasPrefix("250 2.0.0"))
    #expect(try site.stop().status == 0)
  }
}
