import Foundation
import PabalTesting
import Testing

/// The command lines of the programs that call sendmail.
@Suite struct SendmailArgumentTests {
  /// A command line with what follows from it. `*` stands for this host's domain, `<user>` for the user.
  struct Call: Sendable, CustomTestStringConvertible {
    var program: String
    var arguments: [String]
    var sender = "<user>@*"
    var recipients: [String]
    var input = "To: a@example.com, b@example.com\nSubject: hi\n\ntext\n"

    var testDescription: String { "\(program): \(arguments.joined(separator: " "))" }
  }

  static let calls: [Call] = [
    Call(
      program: "Debian's cron", arguments: ["-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"],
      recipients: ["root@*"]),
    Call(
      program: "cronie", arguments: ["-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"],
      sender: "root@*", recipients: ["a@example.com", "b@example.com"]),
    Call(program: "systemd-cron", arguments: ["-i", "-B8BITMIME", "root"], recipients: ["root@*"]),
    Call(program: "mdadm", arguments: ["-t"], recipients: ["a@example.com", "b@example.com"]),
    Call(
      program: "unattended-upgrades", arguments: ["-oi", "-t"],
      recipients: ["a@example.com", "b@example.com"]),
    Call(
      program: "bsd-mailx", arguments: ["-i", "-m", "-v", "--", "c@example.com"],
      recipients: ["c@example.com"]),
    Call(
      program: "bsd-mailx", arguments: ["-i", "-f", "me@example.com", "--", "c@example.com"],
      sender: "me@example.com", recipients: ["c@example.com"]),
    Call(
      program: "git send-email", arguments: ["-f", "me@example.com", "-i", "c@example.com", "d@example.com"],
      sender: "me@example.com", recipients: ["c@example.com", "d@example.com"]),
    Call(program: "PHP", arguments: ["-t", "-i"], recipients: ["a@example.com", "b@example.com"]),
    Call(
      program: "PHP with a sender", arguments: ["-t", "-i", "-fweb@example.com"], sender: "web@example.com",
      recipients: ["a@example.com", "b@example.com"]),
    Call(
      program: "Nodemailer", arguments: ["-i", "-f", "me@example.com", "c@example.com"],
      sender: "me@example.com", recipients: ["c@example.com"]),
    Call(
      program: "Swift Mailer", arguments: ["-oi", "-t", "-r", "me@example.com"], sender: "me@example.com",
      recipients: ["a@example.com", "b@example.com"]),
    Call(program: "mutt", arguments: ["-oem", "-oi", "--", "c@example.com"], recipients: ["c@example.com"]),
    Call(
      program: "Emacs", arguments: ["-oi", "-f", "me", "-oem", "-odb", "-t"], sender: "me@*",
      recipients: ["a@example.com", "b@example.com"]),
    Call(
      program: "a cluster", arguments: ["-tiv"], recipients: ["a@example.com", "b@example.com"]),
    Call(program: "a name", arguments: ["-F", "Full Name", "-i", "root"], recipients: ["root@*"]),
    Call(program: "null sender", arguments: ["-f<>", "root"], sender: "", recipients: ["root@*"]),
    Call(program: "null sender", arguments: ["-f", "", "root"], sender: "", recipients: ["root@*"]),
    Call(
      program: "two words", arguments: ["-o", "i", "-o", "e", "m", "-o", "Q", "/tmp/queue", "root"],
      recipients: ["root@*"]),
    Call(
      program: "options in one word", arguments: ["-oY", "a@example.com", "-oR", "b@example.com"],
      recipients: ["a@example.com", "b@example.com"]),
    Call(
      program: "Exim's options", arguments: ["-oMr", "local", "-oMs", "host", "-oee", "root"],
      recipients: ["root@*"]),
    Call(
      program: "attached values", arguments: ["-oY", "c@example.com", "-oR", "d@example.com", "-oe", "m"],
      recipients: ["c@example.com", "d@example.com", "m@*"]),
    Call(
      program: "ignored flags",
      arguments: [
        "-Am", "-d0.1", "-em", "-h", "3", "-L", "tag", "-m", "-n", "-p", "ESMTP", "-U", "-G", "-O",
        "smtputf8=yes", "-C", "/tmp/config", "-X/tmp/log", "-bm", "root",
      ], recipients: ["root@*"]),
    Call(
      program: "-t adds", arguments: ["-t", "c@example.com"],
      recipients: ["c@example.com", "a@example.com", "b@example.com"]),
    Call(
      program: "msmtp", arguments: ["--read-envelope-from", "--read-recipients"],
      sender: "me@example.com", recipients: ["a@example.com"],
      input: "From: Me <me@example.com>\nTo: a@example.com\n\ntext\n"),
    Call(
      program: "lists and names", arguments: ["Name <c@example.com>", "d@example.com, root"],
      recipients: ["c@example.com", "d@example.com", "root@*"]),
    Call(
      program: "a hostile recipient", arguments: ["--", "-X/tmp/x@example.com"],
      recipients: ["-X/tmp/x@example.com"]),
    Call(
      program: "Resent fields", arguments: ["-t"], recipients: ["new@example.com"],
      input: "To: old@example.com\nResent-To: new@example.com\n\ntext\n"),
  ]

  @Test(arguments: calls) func `a command line reaches its recipients`(_ call: Call) throws {
    let site = try SubmissionSite()
    let run = try site.sendmail(call.arguments, input: call.input)
    #expect(run.status == 0, "\(run.errors)")
    let mail = try site.onlyMail()
    let user = try ChildProcess.run("id", ["-un"]).output.trimmingCharacters(in: .newlines)
    let domain = try SendmailArgumentTests.domain()
    func resolved(_ address: String) -> String {
      address.replacing("<user>", with: user).replacing("@*", with: "@\(domain)")
    }
    #expect(mail.sender == resolved(call.sender))
    #expect(mail.recipients == call.recipients.map(resolved))
    #expect(mail.text.hasSuffix("\r\n\r\ntext\r\n"))
  }

  /// The domain that completes addresses on this host.
  static func domain() throws -> String {
    let script =
      "import os, socket\nn = '/etc/mailname'\n"
      + "print((open(n).read().strip() if os.path.exists(n) else '') or socket.gethostname())"
    return try ChildProcess.run("python3", ["-c", script]).output.trimmingCharacters(in: .newlines)
      .lowercased()
  }

  @Test(arguments: [
    ["-Z", "root"], ["--unknown"], ["--batch", "01M5PWP165041061050R3GG28A"], ["--failures=x", "root"],
    ["-bd"], ["-bq"], ["-f"], ["-N", "often", "root"], ["-R", "some", "root"],
    [],
  ]) func `a wrong command line is a usage error on one line`(_ arguments: [String]) throws {
    let site = try SubmissionSite()
    let run = try site.sendmail(arguments)
    #expect(run.status == 64)
    #expect(run.errors.split(separator: "\n").count == 1)
    #expect(try site.mails().isEmpty)
  }

  @Test func `newaliases and -bi succeed`() throws {
    let site = try SubmissionSite(nil)
    #expect(try ChildProcess.run("\(site.directory.path)/newaliases").status == 0)
    #expect(try site.sendmail(["-bi"]).status == 0)
    #expect(try site.sendmail(["-I"]).status == 0)
  }

  @Test func `the help lists the flags, by all names of the program`() throws {
    let site = try SubmissionSite(nil)
    for program in ["\(site.directory.path)/sendmail", "\(site.directory.path)/mailq"] {
      let run = try ChildProcess.run(program, ["--help"])
      #expect(run.status == 0)
      #expect(run.output.contains("--read-envelope-from"))
    }
    #expect(try TestSite().pabal("sendmail", "--help").output.contains("--drop"))
    #expect(try TestSite().pabal("help", "sendmail").output.contains("--drop"))
  }
}
