import Foundation
import PabalTesting
import Testing

/// The commands of `pabal outbox`.
@Suite struct OutboxCommandTests {
  static let keys: Set<String> = [
    "id", "state", "status", "lane", "created_at", "age_seconds", "due_at", "next_try_at", "waits_for",
    "not_after", "ended_at", "attempts", "transport", "outcome", "reply", "cause", "held", "verification",
    "recipients",
  ]

  @Test func `an empty outbox isn't an error`() throws {
    let site = try TestSite()
    #expect(try site.pabal("outbox").output == "The outbox is empty.\n")
    let run = try site.pabal("outbox", "list", "--json")
    #expect(run.status == 0)
    #expect(try run.json["counts"] as? [String: Int] == [:])
    #expect(try (run.json["mails"] as? [Any])?.isEmpty == true)
    #expect(try site.pabal("outbox", "retry", "--all").output == "retried 0\n")
  }

  @Test func `waiting and sent mail are listed and counted, with masked addresses and without codes`() throws
  {
    let site = try TestSite()
    try site.start()
    let code = try site.newestCode()
    let waiting = try site.pabal("verify", "start", "kim@example.org", "--queue", "--json").json
    let id = try #require((waiting["delivery"] as? [String: Any])?["mail"] as? String)

    let list = try site.pabal("outbox")
    let lines = list.output.split(separator: "\n")
    #expect(lines.first == "1 waiting, 1 sent")
    #expect(lines.count == 3)
    let waitingLine = /\ \ waiting  code  \d+s old · k\*\*\*@example.org · next try now \(first attempt\)$/
    #expect(lines[1].hasPrefix(id) && lines[1].contains(waitingLine), "\(lines[1])")
    #expect(lines[2].contains(/\ \ sent  code  \d+s old · sent by file · content erased$/), "\(lines[2])")
    let only = try site.pabal("outbox", "list", "--state", "sent", "--json").json
    #expect(only["counts"] as? [String: Int] == ["waiting": 1, "sent": 1])
    let mails = try #require(only["mails"] as? [[String: Any]])
    #expect(mails.map { Set($0.keys) } == [Self.keys])
    #expect(
      try site.pabal("outbox", "list", "--status", "sent", "--json").json["mails"] as? [NSObject] != nil)
    #expect(mails[0]["state"] as? String == "sent" && mails[0]["status"] as? String == "sent")
    #expect(mails[0]["next_try_at"] is NSNull && mails[0]["waits_for"] is NSNull)
    #expect(mails[0]["recipients"] is NSNull && mails[0]["due_at"] is NSNull && mails[0]["held"] is NSNull)

    let show = try site.pabal("outbox", "show", id, "--json").json
    #expect(Set(show.keys) == Self.keys)
    #expect(show["verification"] as? String == waiting["id"] as? String)
    #expect(show["ended_at"] is NSNull && show["attempts"] as? Int == 0)
    let recipients = try #require(show["recipients"] as? [[String: Any]])
    #expect(recipients.map { Set($0.keys) } == [["to_masked", "outcome", "reply_text"]])
    #expect(recipients[0]["to_masked"] as? String == "k***@example.org")
    let details = try site.pabal("outbox", "show", id)
    #expect(details.output.contains("  k***@example.org  pending\n"))
    for text in [list.output, details.output] {
      #expect(!text.contains("kim@") && !text.contains("you@") && !text.contains(code))
    }
  }

  @Test func `retry makes mail due, cancel cancels it, and both print the number of changed mails`() throws {
    let site = try TestSite(TestSite.scripted("held:mail"))
    try site.addFaultyPlugin()
    #expect(try site.pabal("verify", "start", TestSite.address).status == 77)
    let mail = try #require(try site.outbox().first)
    let id = try #require(mail["id"] as? String)
    #expect(mail["held"] as? String == "mail")
    let due = try #require(mail["due_at"] as? String)
    let retried = try site.pabal("outbox", "retry", id, "--json")
    #expect(retried.status == 0)
    #expect(try retried.json["changed"] as? Int == 1)
    #expect(try retried.json["asked"] as? Int == 1)
    #expect(try #require(try site.outbox().first?["due_at"] as? String) < due)
    #expect(mail["waits_for"] as? String == "the account or the set-up refuses this mail")
    #expect(try site.pabal("outbox", "show", id).output.contains(", 1 attempt\n"))
    #expect(try site.pabal("outbox", "cancel", id).output == "cancelled 1 of 1\n")
    #expect(
      try site.pabal("outbox", "list", "--state", "waiting", "--state", "sent").output
        == "1 cancelled\nNo mail is waiting or sent.\n")
    let again = try site.pabal("outbox", "cancel", id, "NOPE")
    #expect(again.status == 65)
    #expect(again.output == "cancelled 0 of 2\n")
    #expect(again.errors.contains("in a final state or not in this outbox"))
    let cancelled = try #require(try site.outbox().first)
    #expect(cancelled["status"] as? String == "cancelled" && cancelled["recipients"] is NSNull)
    #expect(try site.pabal("outbox", "retry", id).status == 65)
  }

  @Test func `a reply is shown on one line`() throws {
    let site = try TestSite(TestSite.scripted("deferred"))
    try site.addFaultyPlugin()
    #expect(try site.pabal("verify", "start", TestSite.address).status == 75)
    let id = try #require(try site.outbox().first?["id"] as? String)
    #expect(
      try site.pabal("outbox", "show", id).output.contains("  y***@example.org  pending: deferred\n"))
  }

  @Test func `a held transport is listed with its cause, and its mail without a due time in the past`() throws
  {
    let site = try TestSite(TestSite.scripted("held:transport"))
    try site.addFaultyPlugin()
    #expect(try site.pabal("verify", "start", TestSite.address).status == 77)
    let mail = try #require(try site.outbox().first)
    #expect(mail["due_at"] is NSNull && mail["cause"] as? String == "held:transport")
    #expect(mail["waits_for"] as? String == "transport first is held")
    let next = try #require(mail["next_try_at"] as? String)
    #expect(next > (try #require(mail["created_at"] as? String)))
    let lines = try site.pabal("outbox").output.split(separator: "\n")
    #expect(
      lines[0].contains(/^transport first is held since .*Z, tried again at .*Z: held:transport$/), "\(lines)"
    )
    let held =
      /waiting  code  \d+s old · .* · held by first: held:transport · next try in \d+s \(transport first is held\)$/
    #expect(lines[2].contains(held), "\(lines)")
    let later = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["outbox"], environment: TestSite.later(120),
      directory: site.directory.path)
    #expect(later.output.contains("tried by the next mail"), "\(later.output)")
    #expect(later.output.contains("next try now (transport first is held)"), "\(later.output)")
    let wrong = try site.pabal("outbox", "list", "--state", "held")
    #expect(wrong.status == 64 && wrong.errors.contains("is in the state waiting"), "\(wrong.errors)")
  }

  @Test(arguments: [
    ["retry"], ["retry", "--all", "X"], ["cancel"], ["show"], ["list", "--state", "wating"],
    ["list", "--limit", "0"], ["list", "--limit", "-1"], ["list", "--watch", "--json"], ["list", "--watch"],
  ])
  func `a usage error ends with 64`(arguments: [String]) throws {
    let site = try TestSite()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["outbox"] + arguments, directory: site.directory.path)
    #expect(run.status == 64, "\(run.errors)")
    #expect(!run.errors.isEmpty)
  }

  @Test(arguments: ["NOPE", "", "x\r\ny", String(repeating: "x", count: 100_000)])
  func `an unknown id is reported in a short error`(id: String) throws {
    let site = try TestSite()
    let run = try site.pabal("outbox", "show", id)
    #expect(run.status == 65)
    #expect(run.errors.contains("error: no mail "))
    #expect(run.errors.utf8.count < 1_000 && !run.errors.contains("\r"))
  }

  @Test func `--watch refreshes the list until Ctrl-C`() throws {
    let site = try TestSite()
    try site.start("--queue")
    let run = try ChildProcess.run(
      "python3", ["-c", Self.watching, "\(BuiltProducts.directory)/pabal", "outbox", "list", "--watch"],
      directory: site.directory.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("\u{1B}[H\u{1B}[2J1 waiting"))
    #expect(run.output.hasSuffix("ended by signal 2\n"))
  }

  /// A Python script that runs a program on a terminal until it has cleared the screen twice, then types Ctrl-C.
  private static let watching = """
    import os, pty, signal, sys
    pid, terminal = pty.fork()
    if pid == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.alarm(30)
        os.environ["TERM"] = "xterm"
        os.execv(sys.argv[1], sys.argv[1:])
    seen = b""
    while seen.count(b"\\x1b[2J") < 2:
        seen += os.read(terminal, 4096)
    os.write(terminal, b"\\x03")
    _, status = os.waitpid(pid, 0)
    sys.stdout.buffer.write(seen.replace(b"\\r\\n", b"\\n"))
    print("ended by signal", os.WTERMSIG(status))
    """
}
