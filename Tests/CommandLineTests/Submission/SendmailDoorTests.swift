import Foundation
import PabalTesting
import Testing

/// The ways into the queue when `pabal serve` isn't there, or fails in the middle.
@Suite struct SendmailDoorTests {
  @Test(arguments: [
    "no service", "greeting=421 4.3.2 busy", "greeting=HTTP/1.1 400 Bad Request", "lose=mail",
    "mail=451 4.3.0 later", "content=452 4.3.1 disk full",
  ]) func `a mail that the service can't take is left in the drop directory`(_ fault: String) throws {
    let site = try SubmissionSite(fault == "no service" ? nil : [fault])
    try site.makeDrop()
    let run = try site.sendmail(
      ["-v", "-f", "me@example.com", "you@example.com"], input: "From: a@b.c\n\ntext\n")
    #expect(run.status == 0, "\(run.errors)")
    let name = try #require(site.dropped.first)
    #expect(site.dropped.count == 1)
    #expect(run.errors == "pabal: queued as \(name)\n")
    let path = "\(site.directory.path)/drop/\(name)"
    let batch = try String(contentsOfFile: path, encoding: .utf8)
    #expect(batch.hasPrefix("EHLO "))
    #expect(batch.contains("MAIL FROM:<me@example.com> SIZE="))
    #expect(batch.contains("RCPT TO:<you@example.com>\r\nBDAT "))
    #expect(batch.hasSuffix("\r\n\r\ntext\r\n"))
    var status = stat()
    #expect(stat(path, &status) == 0 && status.st_mode & 0o7777 == 0o440)
  }

  @Test func `a refused recipient isn't left in the drop directory`() throws {
    let site = try SubmissionSite(["rcpt:you@example.com=550 5.1.1 no such user"])
    try site.makeDrop()
    #expect(try site.sendmail(["you@example.com"]).status == 67)
    #expect(site.dropped.isEmpty)
  }

  @Test func `a mail beyond the size that the service takes isn't left in the drop directory`() throws {
    let site = try SubmissionSite(nil)
    try site.makeDrop()
    let body = String(repeating: "x", count: 36_800_000)
    let run = try site.sendmail(["-i", "you@example.com"], input: "Subject: hi\n\n\(body)")
    #expect(run.status == 65)
    #expect(run.errors.split(separator: "\n").count == 1 && run.errors.contains("the largest mail"))
    #expect(site.dropped.isEmpty)
  }

  @Test func `a dialogue refuses what the service would refuse for good`() throws {
    let site = try SubmissionSite(nil)
    try site.makeDrop()
    let loop = String(repeating: "Received: by x; now\r\n", count: 101)
    let run = try site.sendmail(
      ["-bs"],
      input: "EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<you@example.com>\r\nDATA\r\n\(loop)\r\nx\r\n.\r\nQUIT\r\n")
    #expect(run.output.contains("\r\n554 5.3.0 mail: refused: more than 100 Received"), "\(run.output)")
    #expect(site.dropped.isEmpty)
  }

  @Test(arguments: [0o1733, 0o2733, 0o3755, 0o3777, 0o755] as [mode_t])
  func `a directory that isn't a drop directory gets no file`(_ mode: mode_t) throws {
    let site = try SubmissionSite(nil)
    try site.makeDrop()
    #expect(chmod("\(site.directory.path)/drop", mode) == 0)
    let run = try site.sendmail(["you@example.com"])
    #expect(run.status == 75)
    #expect(run.errors.contains("has mode \(String(mode, radix: 8))"), "\(run.errors)")
    #expect(site.dropped.isEmpty)
  }

  @Test func `a mail whose reply was lost is left under the id that the service knows, or not at all`() throws
  {
    let plain = try SubmissionSite(["lose=content"])
    try plain.makeDrop()
    let run = try plain.sendmail(["you@example.com"])
    #expect(run.status == 75)
    #expect(run.errors.contains("may be queued"))
    #expect(plain.dropped.isEmpty)

    let repeatable = try SubmissionSite(["lose=content", "extensions=CHUNKING,XQUEUEID"])
    try repeatable.makeDrop()
    #expect(try repeatable.sendmail(["you@example.com"]).status == 0)
    #expect(repeatable.dropped.count == 1)
  }

  @Test func `a mail whose reply was lost is offered again under its id, without a drop directory too`()
    throws
  {
    let site = try SubmissionSite(["lose=reply", "extensions=CHUNKING,XQUEUEID"])
    let run = try site.sendmail(["you@example.com"])
    #expect(run.status == 0, "\(run.errors)")
    let mails = try site.mails()
    #expect(mails.count == 2)
    #expect(Set(mails.map(\.parameters)).count == 1)

    let gone = try SubmissionSite(["lose=content", "extensions=CHUNKING,XQUEUEID"])
    let failed = try gone.sendmail(["you@example.com"])
    #expect(failed.status == 75)
    // The service may have it.
    #expect(
      failed.errors.contains("may be queued") && !failed.errors.contains("not queued"), "\(failed.errors)")
  }

  @Test func `a dialogue passes SMTPUTF8 on for a header that needs it`() throws {
    let site = try SubmissionSite()
    let run = try site.sendmail(
      ["-bs"],
      input:
        "EHLO me\r\nMAIL FROM:<me@example.com> SMTPUTF8\r\nRCPT TO:<you@example.com>\r\nDATA\r\nSubject: 안녕\r\n\r\nx\r\n.\r\nQUIT\r\n"
    )
    #expect(run.output.contains("250 2.0.0 queued"), "\(run.output)")
    #expect(try site.onlyMail().parameters.contains("SMTPUTF8"))
  }

  @Test func `the limits of the service hold for sendmail while it is down, and in a dialogue`() throws {
    let site = try SubmissionSite(nil)
    try site.makeDrop()
    let many = (0..<1_500).map { "r\($0)@example.com" }
    #expect(try site.sendmail(many).status == 65)
    try site.directory.write("size 60000000\nrecipients 5000\n", to: "drop/limits")
    #expect(try site.sendmail(many).status == 0)
    #expect(site.dropped.count == 1)
    #expect(try site.sendmail(["-bs"], input: "EHLO me\r\n").output.contains("250-SIZE 60000000\r\n"))
    try site.directory.write("size 1000\nrecipients 10\n", to: "drop/limits")
    #expect(try site.sendmail(many).status == 65)
    // A file of somebody else, which only root can make here.
    if geteuid() == 0 {
      #expect(chown("\(site.directory.path)/drop/limits", 65_534, 65_534) == 0)
      #expect(try site.sendmail(["a@example.com"], input: String(repeating: "x\n", count: 1_000)).status == 0)
    }
    let announcing = try SubmissionSite(["extensions=SIZE 1234567,LIMITS RCPTMAX=77,CHUNKING"])
    let hello = try announcing.sendmail(["-bs"], input: "EHLO me\r\n").output
    #expect(hello.contains("SIZE 1234567") && hello.contains("RCPTMAX=77"), "\(hello)")
  }

  @Test func `the service gets the id`() throws {
    let site = try SubmissionSite(["extensions=CHUNKING,XQUEUEID"])
    let run = try site.sendmail(["-v", "you@example.com"])
    let id = try #require(run.errors.split(separator: " ").last).trimmingCharacters(in: .newlines)
    #expect(id.count == 26)
    #expect(try site.onlyMail().parameters == "XQUEUEID=\(id)")
  }

  @Test func `without any way the error names them all, on one line`() throws {
    let site = try SubmissionSite(nil)
    let run = try site.sendmail(["--config", "\(site.directory.path)/config.json", "you@example.com"])
    #expect(run.status == 75)
    #expect(run.errors.split(separator: "\n").count == 1)
    for word in ["/submit", "/drop", "/config.json", "pabal serve"] { #expect(run.errors.contains(word)) }
  }

  @Test func `links in place of the drop directory's files aren't followed`() throws {
    let site = try SubmissionSite(nil)
    let run = try site.sendmail(["--drop", "/dev/null", "you@example.com"])
    #expect(run.status == 75)
    #expect(run.errors.contains("isn't a directory"))
  }

  @Test func `the owner of the database queues directly, with the mail as it is`() throws {
    let (door, site) = (try SubmissionSite(nil), try TestSite())
    let config = "\(site.directory.path)/config.json"
    // The command creates neither a database nor a key.
    let none = try door.sendmail(["--config", config, "you@example.com"])
    #expect(none.status == 75)
    #expect(none.errors.contains("database doesn't exist"), "\(none.errors)")
    #expect(!FileManager.default.fileExists(atPath: "\(site.directory.path)/pabal.sqlite"))
    #expect(try site.pabal("outbox", "list").status == 0)
    let input = "From: me@example.com\nBcc: hidden@example.com\nSubject: hi\n\nline\n.\nend\n"
    let run = try door.sendmail(["-v", "--config", config, "-i", "-t", "you@example.com"], input: input)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains(#/^pabal: queued as \w{26}\n$/#), "\(run.errors)")
    let waiting = try site.pabal("outbox", "list", "--json").json["mails"] as? [[String: Any]]
    #expect(waiting?.count == 1)
    #expect(waiting?.first?["state"] as? String == "waiting")
    let recipients = waiting?.first?["recipients"] as? [[String: Any]]
    #expect(recipients?.count == 2)

    let server = try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve"], environment: TestSite.cleanEnvironment,
      directory: site.directory.path)
    try eventually { !site.mails.isEmpty }
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
    let mail = try site.onlyMail()
    #expect(mail.hasSuffix("\r\n\r\nline\r\n.\r\nend\r\n"))
    #expect(!mail.contains("hidden@example.com"))
    #expect(mail.hasPrefix("Received: "))
  }

  @Test func `another user's database isn't opened`() throws {
    let (door, site) = (try SubmissionSite(nil), try TestSite())
    #expect(try site.pabal("outbox", "list").status == 0)
    guard getuid() == 0 else { return }
    #expect(chown("\(site.directory.path)/pabal.sqlite", 65_534, 65_534) == 0)
    let run = try door.sendmail(["--config", "\(site.directory.path)/config.json", "you@example.com"])
    #expect(run.status == 75)
    #expect(run.errors.contains("belongs to another user"))
  }

  @Test func `mailq and -q work on the outbox of the configuration`() throws {
    let (door, site) = (try SubmissionSite(nil), try TestSite())
    let config = ["--config", "\(site.directory.path)/config.json"]
    let mailq = "\(door.directory.path)/mailq"
    #expect(try ChildProcess.run(mailq, config).output == "Mail queue is empty\n")
    #expect(try door.sendmail(["-q"] + config).status == 0)
    #expect(!FileManager.default.fileExists(atPath: "\(site.directory.path)/pabal.sqlite"))
    #expect(try site.pabal("outbox", "list").status == 0)
    #expect(try door.sendmail(config + ["you@example.com"]).status == 0)
    let run = try ChildProcess.run(mailq, config)
    #expect(run.status == 0)
    #expect(run.output.contains("waiting"))
    #expect(try door.sendmail(["-q"] + config).status == 0)
    let missing = try ChildProcess.run(mailq, ["--config", "/nonexistent/config.json"])
    #expect(missing.status == 69)
    #expect(missing.output.isEmpty && missing.errors.split(separator: "\n").count == 1)
  }
}

/// `sendmail -bs`, as Symfony, Laravel and Swift Mailer use it.
@Suite struct SendmailDialogueTests {
  /// Runs a dialogue with all commands sent at once.
  private func dialogue(_ site: SubmissionSite, _ script: String) throws -> ChildProcess {
    try site.sendmail(["-bs"], input: script)
  }

  @Test(arguments: ["\r\n", "\n"]) func `a dialogue queues its mails by the same ways`(_ end: String) throws {
    let site = try SubmissionSite()
    let lines = [
      "EHLO client", "MAIL FROM:<me@example.com>", "RCPT TO:<a@example.com>", "RCPT TO:<b@example.com>",
      "DATA",
      "From: me@example.com", "Subject: hi", "", "text", "..dot", ".",
      "MAIL FROM:<>", "RCPT TO:<c@example.com>", "DATA", "Subject: second", "", "more", ".", "QUIT", "",
    ]
    let run = try dialogue(site, lines.joined(separator: end))
    #expect(run.status == 0, "\(run.errors)")
    let codes = run.output.split(separator: "\r\n").filter { $0.dropFirst(3).first == " " }.map {
      $0.prefix(3)
    }
    #expect(
      codes == ["220", "250", "250", "250", "250", "354", "250", "250", "250", "354", "250", "221"],
      "\(run.output)")
    let mails = try site.mails()
    #expect(mails.map(\.recipients) == [["a@example.com", "b@example.com"], ["c@example.com"]])
    #expect(mails.map(\.sender) == ["me@example.com", ""])
    #expect(mails.first?.body == Array("text\r\n.dot\r\n".utf8))
  }

  @Test(arguments: [
    ("content=452 4.3.1 disk full", "452"), ("content=550 5.6.0 bad", "550"),
    ("mail=550 5.7.1 not you", "550"),
    ("rcpt:a@example.com=550 5.1.1 no such user", "550"), ("greeting=421 4.3.2 busy", "451"),
  ]) func `a refusal of the service is the reply to the content`(_ setting: String, _ code: String) throws {
    let site = try SubmissionSite([setting])
    let run = try dialogue(
      site,
      "EHLO client\r\nMAIL FROM:<me@example.com>\r\nRCPT TO:<a@example.com>\r\nDATA\r\nSubject: hi\r\n\r\ntext\r\n.\r\n"
        + "QUIT\r\n")
    #expect(run.status == 0)
    let replies = run.output.split(separator: "\r\n")
    #expect(replies.last?.hasPrefix("221") == true)
    #expect(replies.dropLast().last?.hasPrefix(code) == true, "\(run.output)")
    #expect(try site.mails().isEmpty)
  }

  @Test
  func `without any way the content gets a temporary reply, and an input that ends early queues nothing`()
    throws
  {
    let site = try SubmissionSite(nil)
    let config = ["-bs", "--config", "/nonexistent"]
    let start =
      "EHLO client\r\nMAIL FROM:<me@example.com>\r\nRCPT TO:<a@example.com>\r\nDATA\r\nSubject: hi\r\n\r\ntext\r\n"
    #expect(
      try site.sendmail(config, input: "\(start).\r\nQUIT\r\n").output.contains(
        "\r\n451 4.3.0 mail not queued"))
    try site.makeDrop()
    #expect(try site.sendmail(config, input: start).status == 0)
    #expect(site.dropped.isEmpty)
  }

  @Test func `Python's smtplib sends over a pipe`() throws {
    let site = try SubmissionSite()
    let script = """
      import smtplib, subprocess, sys
      class Pipe:
          def __init__(self, arguments):
              self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
          def sendall(self, data): self.process.stdin.write(data); self.process.stdin.flush()
          def makefile(self, mode): return self.process.stdout
          def close(self): self.process.stdin.close(); self.process.wait()
      class Sendmail(smtplib.SMTP):
          def _get_socket(self, host, port, timeout): return Pipe(sys.argv[1:])
      with Sendmail("pipe") as smtp:
          smtp.sendmail("me@example.com", ["a@example.com", "b@example.com"], "Subject: hi\\n\\n.dot\\ntext\\n")
      """
    let run = try ChildProcess.run(
      "python3", ["-c", script, "\(site.directory.path)/sendmail"] + site.ways + ["-bs"])
    #expect(run.status == 0, "\(run.errors)")
    #expect(try site.onlyMail().recipients == ["a@example.com", "b@example.com"])
    #expect(try site.onlyMail().body == Array(".dot\r\ntext\r\n".utf8))
  }
}
