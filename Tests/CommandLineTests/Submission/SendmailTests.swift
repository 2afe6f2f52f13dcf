import Foundation
import PabalTesting
import Testing

/// What `sendmail` makes of its input, and how it reports what became of it.
@Suite struct SendmailTests {
  @Test(arguments: [
    ("LF", "Subject: hi\n\na\nb\n", "a\r\nb\r\n"),
    ("CRLF", "Subject: hi\r\n\r\na\r\nb\r\n", "a\r\nb\r\n"),
    ("PHP 8: CRLF in the header, LF in the body", "Subject: hi\r\n\r\na\nb\r\nc\n", "a\r\nb\r\nc\r\n"),
    ("CRs before LF", "Subject: hi\r\r\n\r\r\na\r\r\nb", "a\r\nb\r\n"),
    ("an incomplete last line", "Subject: hi\n\na", "a\r\n"),
    ("a text without a header", "disk full\nsecond: line\n", "disk full\r\nsecond: line\r\n"),
    ("a text that begins with an empty line", "\ntext\n", "text\r\n"),
    ("a line in the header that isn't a field", "Subject: hi\ntext\n", "text\r\n"),
    ("an mbox line", "From me Mon Jan  1 00:00:00 2026\nSubject: hi\n\ntext\n", "text\r\n"),
    (
      "a text that begins with From", "From now on\nFrom /dev/sda: errors\n",
      "From now on\r\nFrom /dev/sda: errors\r\n"
    ),
    ("a byte order mark", "\u{FEFF}Subject: hi\nBcc: hidden@example.com\n\ntext\n", "text\r\n"),
    ("nothing", "", ""),
    ("bytes above 127", "Subject: hi\n\n\u{E9}\u{20AC}\n", "\u{E9}\u{20AC}\r\n"),
  ]) func `the body arrives with CRLF at the end of each line`(
    _ name: String, _ input: String, _ body: String
  ) throws {
    let site = try SubmissionSite()
    let run = try site.sendmail(["-i", "you@example.com"], input: input)
    #expect(run.status == 0, "\(run.errors)")
    #expect(try site.onlyMail().body == Array(body.utf8), "\(name)")
  }

  @Test(arguments: ["10%\r20%\rdone\n", "a\u{0}b\n", "a\r\r\nb\r\n"])
  func `a body that SMTP can't carry arrives encoded and unchanged`(_ body: String) throws {
    let site = try SubmissionSite()
    let run = try site.sendmail(["you@example.com"], input: "Subject: hi\n\n\(body)")
    #expect(run.status == 0, "\(run.errors)")
    let mail = try site.onlyMail()
    #expect(mail.text.contains("Content-Transfer-Encoding: base64\r\n"))
    let encoded = String(decoding: mail.body, as: UTF8.self)
    // Text has CRLF at the end of its lines, encoded or not (RFC 2045, 6.8).
    let lines = body.hasSuffix("\r\n") ? body : "\(body.dropLast())\r\n"
    #expect(Data(base64Encoded: encoded, options: .ignoreUnknownCharacters) == Data(lines.utf8))
  }

  @Test(arguments: [
    "Subject: a\u{0}b\n\ntext\n", "Content-Transfer-Encoding: quoted-printable\n\na\u{0}b\n",
    String(repeating: "X: y\n", count: 60_000) + "\ntext\n",
    String(repeating: "Received: by a.example; Tue, 01 Dec 2026 00:00:00 +0000\n", count: 101) + "\ntext\n",
  ])
  func `mail that the service refuses for good isn't left in the drop directory`(_ mail: String) throws {
    let site = try SubmissionSite(nil)
    try site.makeDrop()
    let run = try site.sendmail(["-i", "you@example.com"], input: mail)
    #expect(run.status == 65, "\(run.errors)")
    #expect(site.dropped == [])
  }

  @Test func `more recipients than the service takes aren't left in the drop directory`() throws {
    let site = try SubmissionSite(nil)
    try site.makeDrop()
    let run = try site.sendmail((0...1_000).map { "r\($0)@example.com" }, input: "text\n")
    #expect(run.status == 65 && run.errors.contains("1001 recipients"), "\(run.errors)")
    #expect(site.dropped == [])
  }

  @Test(arguments: ["mail=251 2.1.0 ok", "content=251 2.0.0 ok"])
  func `every reply of class 2 accepts the mail`(_ setting: String) throws {
    let site = try SubmissionSite([setting])
    let run = try site.sendmail(["you@example.com"])
    #expect(run.status == 0, "\(run.errors)")
    #expect(try site.mails().count == 1)
  }

  @Test func `a CR inside a header field doesn't begin another one`() throws {
    let site = try SubmissionSite()
    let run = try site.sendmail(["you@example.com"], input: "Subject: hi\rBcc: evil@example.com\n\ntext\n")
    #expect(run.status == 0, "\(run.errors)")
    #expect(try site.onlyMail().text.contains("Subject: hi Bcc: evil@example.com\r\n"))
  }

  @Test(arguments: [
    ("a\n.\nb\n", [], "a\r\n"), ("a\r\n.\r\nb\n", [], "a\r\n"), ("a\n.", [], "a\r\n"),
    ("a\n..\n", [], "a\r\n..\r\n"), ("a\n.\nb\n", ["-i"], "a\r\n.\r\nb\r\n"),
    ("a\n.\nb\n", ["-oi"], "a\r\n.\r\nb\r\n"), ("a\n.\nb\n", ["-o", "i"], "a\r\n.\r\nb\r\n"),
  ]) func `a line with only a dot ends the mail unless -i is given`(
    _ body: String, _ flags: [String], _ expected: String
  ) throws {
    let site = try SubmissionSite()
    let run = try site.sendmail(flags + ["you@example.com"], input: "Subject: hi\n\n\(body)")
    #expect(run.status == 0, "\(run.errors)")
    #expect(try site.onlyMail().body == Array(expected.utf8))
  }

  @Test func `a line with only a dot ends the mail while the input stays open`() throws {
    let site = try SubmissionSite()
    let process = try InteractiveProcess(
      "\(site.directory.path)/sendmail", site.ways + ["you@example.com"], directory: site.directory.path)
    for line in ["Subject: hi", "", "text", "."] { try process.type(line: line) }
    #expect(try process.finish().status == 0)
    #expect(try site.onlyMail().body == Array("text\r\n".utf8))
  }

  @Test func `From and Date are added where they are missing`() throws {
    let site = try SubmissionSite()
    #expect(
      try site.sendmail(["-FCron Däm\u{F6}n", "-f", "app@example.com", "you@example.com"]).status == 0)
    let mail = try site.onlyMail().text
    #expect(mail.contains(#/From: =\?utf-8\?\S+\?= <app@example.com>\r\n/#.ignoresCase()))
    #expect(mail.contains(#/Date: \w{3}, \d+ \w{3} \d{4} /#))
  }

  @Test func `an existing From keeps its name in spite of -F`() throws {
    let site = try SubmissionSite()
    let input = "From: Me <me@example.com>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n\ntext\n"
    #expect(try site.sendmail(["-FOther", "you@example.com"], input: input).status == 0)
    #expect(try site.onlyMail().text == input.replacing("\n", with: "\r\n"))
  }

  @Test func `a service without CHUNKING gets the mail by DATA`() throws {
    let site = try SubmissionSite(["extensions=PIPELINING"])
    #expect(try site.sendmail(["-i", "you@example.com"], input: "Subject: hi\n\n.\n..a\n.b\n").status == 0)
    #expect(try site.onlyMail().body == Array(".\r\n..a\r\n.b\r\n".utf8))
  }

  @Test func `10 MB without a line end arrive unchanged`() throws {
    let site = try SubmissionSite()
    let line = String(repeating: "x", count: 10_000_000)
    let run = try site.sendmail(["you@example.com"], input: "Subject: hi\n\n\(line)")
    #expect(run.status == 0, "\(run.errors)")
    #expect(try site.onlyMail().body.count == 10_000_002)
  }

  @Test func `1,000 recipients don't block either side`() throws {
    let site = try SubmissionSite()
    let recipients = (0..<1_000).map { "\(String(repeating: "r", count: 40))\($0)@example.com" }
    let run = try site.sendmail(recipients)
    #expect(run.status == 0, "\(run.errors)")
    #expect(try site.onlyMail().recipients == recipients)
  }

  @Test func `DSN parameters are passed to a service that offers DSN`() throws {
    let site = try SubmissionSite(["extensions=CHUNKING,DSN"])
    let run = try site.sendmail(["-N", "success,failure", "-R", "hdrs", "-V", "a b+c", "you@example.com"])
    #expect(run.status == 0, "\(run.errors)")
    #expect(try site.onlyMail().parameters == "RET=HDRS ENVID=a+20b+2Bc")
  }

  @Test(arguments: [
    ("mail=550 5.7.1 not you", 77), ("mail=530 5.7.0 log in", 77), ("mail=553 5.1.7 bad sender", 65),
    ("mail=552 5.3.4 too large", 65), ("rcpt:b@example.com=550 5.1.1 no such user", 67),
    ("rcpt:b@example.com=554 5.7.1 not allowed", 77), ("rcpt:b@example.com=451 4.3.0 later", 75),
    ("rcpt:b@example.com=452 4.5.3 too many", 65), ("content=550 5.6.0 bad content", 65),
    ("content=554 5.0.0 refused", 69), ("content=452 4.3.1 disk full", 75), ("content=451 4.3.0 later", 75),
    ("mail=555 5.5.4 unknown parameter", 70), ("greeting=554 no service", 69),
    ("greeting=421 4.3.2 busy", 75),
  ]) func `a refusal ends with the exit status of its kind, and nothing is sent`(
    _ setting: String, _ status: Int32
  ) throws {
    let site = try SubmissionSite([setting])
    let run = try site.sendmail(["a@example.com", "b@example.com"])
    #expect(run.status == status)
    #expect(run.errors.split(separator: "\n").count == 1)
    #expect(run.errors.contains(try #require(setting.split(separator: "=").last)))
    if setting.hasPrefix("rcpt") { #expect(run.errors.contains("b@example.com: refused")) }
    #expect(try site.mails().isEmpty)
  }

  @Test func `a recipient that isn't an address is an error about this recipient`() throws {
    let site = try SubmissionSite()
    let run = try site.sendmail(["a@example.com", "two words"])
    #expect(run.status == 65)
    #expect(run.errors.contains("recipient"))
    #expect(try site.mails().isEmpty)
  }

  @Test func `bytes that aren't UTF-8 are an error in a recipient, and left out of a name`() throws {
    let site = try SubmissionSite()
    let command = (["\(site.directory.path)/sendmail"] + site.ways).joined(separator: " ")
    func run(_ arguments: String) throws -> ChildProcess {
      try ChildProcess.run(
        "sh", ["-c", "\(command) \(arguments)"], input: Array("Subject: hi\n\ntext\n".utf8))
    }
    let recipient = try run(#""$(printf 'a\377@example.com')""#)
    #expect(recipient.status == 65)
    #expect(recipient.errors.contains("UTF-8"))
    #expect(try run(#"-F "$(printf 'J\366rg')" -f me@example.com you@example.com"#).status == 0)
    #expect(try !site.onlyMail().text.contains("\u{FFFD}"))
  }

  @Test func `a closed input is an error and not an empty mail`() throws {
    let site = try SubmissionSite()
    let run = try ChildProcess.run(
      "sh", ["-c", "exec \"$0\" \"$@\" <&-", "\(site.directory.path)/sendmail"] + site.ways + ["root"])
    #expect(run.status == 66)
    #expect(try site.mails().isEmpty)
  }

  @Test func `a hostile directory and environment change nothing`() throws {
    let site = try SubmissionSite()
    let trap = try TemporaryDirectory()
    let marker = "\(trap.path)/ran"
    let script = "#!/bin/sh\ntouch \(marker)\n"
    for name in ["sendmail", "pabal", "pabal-main", "sh", "config.json"] {
      let file = try trap.write(name == "config.json" ? "{ \"transport\": 7" : script, to: name)
      #expect(chmod(file, 0o755) == 0)
    }
    let environment: [String: String?] = [
      "PATH": trap.path, "IFS": "/", "ENV": "\(trap.path)/sh", "BASH_ENV": "\(trap.path)/sh",
      "HOME": trap.path,
      "PABAL_CONFIG": "\(trap.path)/config.json", "PABAL_TRANSPORT": "evil", "PABAL_PLUGIN_PATH": trap.path,
      "USER": "evil", "LOGNAME": "evil", "NAME": "Evil", "MAILCONF": "\(trap.path)/config.json",
      "SSLKEYLOGFILE": marker, "TMPDIR": trap.path, "LD_LIBRARY_PATH": trap.path,
    ]
    let arguments = ["-C", "\(trap.path)/config.json", "-X", marker, "-oQ\(trap.path)", "you@example.com"]
    let run = try site.sendmail(arguments, environment: environment, in: trap.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(!FileManager.default.fileExists(atPath: marker))
    #expect(try !site.onlyMail().text.contains("vil"))
  }

  @Test func `the command loads neither plugins nor configuration`() throws {
    let site = try SubmissionSite()
    let trace = "\(site.directory.path)/trace"
    let run = try ChildProcess.run(
      "strace",
      ["-f", "-e", "trace=openat,open,execve", "-o", trace, "\(site.directory.path)/sendmail"] + site.ways
        + ["you@example.com"],
      input: Array("text\n".utf8))
    #expect(run.status == 0, "\(run.errors)")
    let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
    #expect(!lines.contains { $0.contains("config.json") || $0.contains("libpabal-") })
    #expect(lines.count { $0.contains("execve(") } == 1)
  }
}
