import Foundation
import PabalTesting
import Testing

@Suite struct SendTests {
  @Test func `a Korean code mail is sent through the configured transport`() throws {
    let site = try TestSite()
    let run = try site.pabal("send", "you@example.org")
    #expect(run.status == 0)
    #expect(run.errors == "")
    let mail = try site.read(Array(try site.onlyMail().utf8))
    let subject = try #require(mail["subject"] as? String)
    let code = try #require(subject.firstMatch(of: /\[Pabal\] 인증번호 ([0-9]{6})$/)?.1)
    #expect((mail["text"] as? String)?.contains(String(code)) == true)
    #expect((mail["html"] as? String)?.contains(String(code)) == true)
    #expect(mail["from"] as? String == "파발 <pabal@example.com>")
    #expect(mail["to"] as? String == "you@example.org")
    #expect(mail["defects"] as? [String] == [])
  }

  @Test func `changing one word in config.json changes the transport`() throws {
    let site = try TestSite()
    try site.directory.write(TestSite.configuration(transport: #""console""#), to: "config.json")
    let run = try site.pabal("send", "you@example.org", "--language", "en")
    #expect(run.status == 0)
    #expect(run.output.hasPrefix("MAIL FROM:<pabal@example.com>\nRCPT TO:<you@example.org>\n\n"))
    #expect(run.output.contains("Content-Language: en"))
    #expect(site.mails == [])
  }

  @Test func `a language that a message lacks is reported, and the mail has the default one`() throws {
    let site = try TestSite()
    func send(_ languages: String) throws -> String {
      let run = try site.pabal(
        "send", "you@example.org", "--language", languages, environment: ["LC_ALL": "C.UTF-8"])
      #expect(run.status == 0)
      return run.errors
    }
    #expect(try send("fr") == "(not available in fr; the mail is in ko)\n")
    for languages in ["fr,en", "en-GB", "ko_KR", "*"] { #expect(try send(languages).isEmpty, "\(languages)") }
  }

  @Test func `console prints the main fields and the text decoded, before the mail`() throws {
    let site = try TestSite(TestSite.configuration(transport: #""console""#))
    let run = try site.pabal("send", "you@example.org", "--language", "ko")
    let mark = try #require(run.output.firstRange(of: "\n-- the mail as it is sent --\nDate: "))
    let shown = run.output[..<mark.lowerBound]
    #expect(shown.contains("\nFrom: 파발 <pabal@example.com>\nTo: you@example.org\nSubject: [Pabal] 인증번호 "))
    #expect(shown.contains("인증번호를") || shown.contains("인증번호는"), "\(shown)")
    #expect(!shown.contains("base64") && run.output[mark.upperBound...].contains("base64"))
    try site.edit(#""plugin": "console""#, #""plugin": "console", "decoded": false, "envelope": false"#)
    #expect(try site.pabal("send", "you@example.org").output.hasPrefix("Date: "))
  }

  @Test func `--dry-run shows the mail decoded on a terminal, and its bytes elsewhere`() throws {
    let site = try TestSite()
    let bytes = try site.pabal("send", "you@example.org", "--dry-run").output
    #expect(bytes.hasPrefix("Date: ") && bytes.contains("Content-Transfer-Encoding: base64\r\n"))
    let script = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"
    let run = try ChildProcess.run(
      "python3", ["-c", script, "\(BuiltProducts.directory)/pabal", "send", "you@example.org", "--dry-run"],
      directory: site.directory.path)
    #expect(run.status == 0)
    let shown = run.output.replacing("\r\n", with: "\n")
    #expect(shown.hasPrefix("Envelope: pabal@example.com to you@example.org\nFrom: 파발 <pabal@example.com>\n"))
    #expect(shown.contains("\nSubject: [Pabal] 인증번호 ") && !shown.contains("base64"), "\(shown)")
  }

  @Test func `the next mail uses an edited message`() throws {
    let site = try TestSite()
    try site.directory.write(
      "Subject: 새 말 {{code}}\n\n{{service}}: `{{code}}` ({{valid_for}})\n", to: "messages/verification/ko.md")
    #expect(try site.pabal("send", "you@example.org").status == 0)
    let mail = try site.read(Array(try site.onlyMail().utf8))
    #expect((mail["subject"] as? String)?.hasPrefix("새 말 ") == true)
    #expect((mail["text"] as? String)?.contains("(10분)") == true)
  }

  @Test func `Korean subject and text arrive unchanged`() throws {
    let site = try TestSite()
    let run = try site.pabal(
      "send", "you@example.org", "--subject", "회원가입 인증번호", "--text", "인증번호는 123456입니다.")
    #expect(run.status == 0)
    let mail = try site.read(Array(try site.onlyMail().utf8))
    #expect(mail["subject"] as? String == "회원가입 인증번호")
    #expect((mail["text"] as? String)?.trimmingCharacters(in: .newlines) == "인증번호는 123456입니다.")
  }

  @Test func `--json prints one object with every key and nothing else to standard output`() throws {
    let site = try TestSite()
    for transport in ["file", "console"] {
      let run = try site.pabal("send", "a@example.org", "b@example.org", "--transport", transport, "--json")
      let report = try run.json
      #expect(
        Set(report.keys) == [
          "outcome", "scope", "transport", "message_id", "remote_id", "reply", "retry_after", "recipients",
          "attempts",
        ])
      #expect(report["outcome"] as? String == "sent")
      #expect(report["transport"] as? String == transport)
      let recipients = try #require(report["recipients"] as? [[String: Any]])
      #expect(recipients.map { $0["address"] as? String } == ["a@example.org", "b@example.org"])
      #expect(recipients.allSatisfy { Set($0.keys) == ["address", "outcome", "reply"] })
      let attempts = try #require(report["attempts"] as? [[String: Any]])
      #expect(attempts.map { Set($0.keys) } == [["transport", "outcome", "reply", "seconds"]])
    }
    #expect(site.mails.count == 1)
  }

  @Test(arguments: [
    ("sent", 0), ("rejected", 69), ("unsuited", 69), ("unknown", 74), ("deferred:30", 75), ("held:mail", 77),
    ("held:transport", 77), ("none", 74),
  ])
  func `the exit status follows from the outcome`(act: String, status: Int32) throws {
    let site = try TestSite(TestSite.scripted(act))
    try site.addFaultyPlugin()
    let run = try site.pabal("send", "you@example.org", "--subject", "x", "--text", "y", "--json")
    #expect(run.status == status, "\(run.errors)")
    if act == "deferred:30" { #expect(try run.json["retry_after"] as? Int == 30) }
    if act == "held:mail" { #expect(try run.json["scope"] as? String == "mail") }
    let plain = try site.pabal("send", "you@example.org", "--subject", "x", "--text", "y")
    #expect(plain.status == status)
    #expect(status == 0 ? plain.errors.isEmpty : plain.errors.count > 40)
  }

  @Test func `a list of transports fails over in order and reports every attempt`() throws {
    let site = try TestSite(TestSite.scripted("deferred", "sent", transport: #"["first", "second", "file"]"#))
    try site.addFaultyPlugin()
    let run = try site.pabal("send", "you@example.org", "--json")
    #expect(run.status == 0)
    let report = try run.json
    #expect(report["transport"] as? String == "second")
    let attempts = try #require(report["attempts"] as? [[String: Any]])
    #expect(attempts.map { $0["outcome"] as? String } == ["deferred", "sent"])
    #expect(site.mails == [])
  }

  @Test func `after an unknown outcome a code fails over, and other mail doesn't`() throws {
    let site = try TestSite(TestSite.scripted("unknown", "sent", transport: #"["first", "second"]"#))
    try site.addFaultyPlugin()
    #expect(try site.pabal("send", "you@example.org").status == 0)
    #expect(try site.pabal("send", "you@example.org", "--subject", "x", "--text", "y").status == 74)
  }

  @Test func `fail-over skips recipients who already have the mail`() throws {
    let site = try TestSite(
      TestSite.scripted("each sent deferred rejected", "sent", transport: #"["first", "file"]"#))
    try site.addFaultyPlugin()
    let run = try site.pabal("send", "a@x.org", "b@x.org", "c@x.org", "--json", "--transport", "first,file")
    #expect(run.status == 69)
    let recipients = try #require(try run.json["recipients"] as? [[String: Any]])
    #expect(recipients.map { $0["outcome"] as? String } == ["sent", "sent", "rejected"])
    #expect(site.mails.count == 1)
  }

  @Test func `a transport that can't be opened is skipped in a route, and an error on its own`() throws {
    let broken = #"{ "plugin": "file", "directory": "/proc/none" }"#
    let route = TestSite.configuration(transport: #"["broken", "file"]"#, more: "\n\"broken\": \(broken),")
    let site = try TestSite(route)
    #expect(try site.pabal("send", "you@example.org").status == 0)
    let alone = try site.pabal("send", "you@example.org", "--transport", "broken")
    #expect(alone.status == 78)
    #expect(alone.errors.contains("/proc/none can't be used"))
  }

  @Test func `PABAL_TRANSPORT overrides the configuration, --transport overrides both`() throws {
    let site = try TestSite()
    let environment = ["PABAL_TRANSPORT": "console"]
    #expect(
      try site.pabal("send", "a@x.org", "--json", environment: environment).json["transport"] as? String
        == "console")
    #expect(
      try site.pabal("send", "a@x.org", "--json", "--transport", "file", environment: environment).json[
        "transport"] as? String == "file")
  }

  @Test func `--dry-run prints the mail and sends nothing`() throws {
    let site = try TestSite()
    let run = try site.pabal("send", "you@example.org", "--dry-run")
    #expect(run.status == 0)
    #expect(run.output.hasPrefix("Date: "))
    #expect(run.output.hasSuffix("--\r\n"))
    #expect(site.mails == [])
    let json = try site.pabal("send", "you@example.org", "--dry-run", "--json").json
    #expect(json["recipients"] as? [String] == ["you@example.org"])
  }

  @Test func `a finished mail keeps its body, loses its Bcc and reaches all recipients`() throws {
    let site = try TestSite()
    let eml = "From: a@example.org\nTo: b@example.org\nBcc: c@example.org\nSubject: hi\n\n.dot\nlast"
    let run = try site.pabal("send", "--eml", "-", "--json", input: Array(eml.utf8))
    #expect(run.status == 0, "\(run.errors)")
    let recipients = try #require(try run.json["recipients"] as? [[String: Any]])
    #expect(recipients.map { $0["address"] as? String } == ["b@example.org", "c@example.org"])
    let mail = try site.onlyMail()
    #expect(mail.hasSuffix("\r\n\r\n.dot\r\nlast\r\n"))
    #expect(!mail.lowercased().contains("bcc"))
  }

  @Test func `--count sends n mails, each with its own id, and prints a summary`() throws {
    let site = try TestSite()
    let run = try site.pabal("send", "you@example.org", "--count", "50", "--parallel", "4", "--json")
    #expect(run.status == 0)
    let summary = try run.json
    #expect(
      Set(summary.keys) == [
        "count", "outcomes", "seconds", "per_second", "p50_ms", "p99_ms", "replies",
      ])
    #expect(summary["count"] as? Int == 50)
    #expect(summary["outcomes"] as? [String: Int] == ["sent": 50])
    #expect(site.mails.count == 50)
  }

  @Test(arguments: [
    ["send"], ["send", "a@x.org", "--parallel", "2"], ["send", "a@x.org", "--count", "0"],
    ["send", "a@x.org", "--subject", "x"], ["send", "a@x.org", "--text", "x"],
    ["send", "a@x.org", "--eml", "x", "--subject", "y", "--text", "z"],
    ["send", "a@x.org", "--set", "novalue"],
    ["sned"], ["send", "a@x.org", "--colour"],
  ])
  func `a usage error ends with 64 and an explanation`(arguments: [String]) throws {
    let site = try TestSite()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", arguments, directory: site.directory.path)
    #expect(run.status == 64)
    #expect(!run.errors.isEmpty)
    #expect(site.mails == [])
  }

  @Test(arguments: ["not-an-address", "a@b@c", "a b@example.org", "@example.org", "a@", "a@ex ample.org", ""])
  func `an invalid address ends with 65 before anything is sent`(address: String) throws {
    let site = try TestSite()
    let run = try site.pabal("send", "good@example.org", address)
    #expect(run.status == 65)
    #expect(run.errors.contains("isn't an address"))
    #expect(run.errors.contains("it has no @; write it like kim@example.com") == !address.contains("@"))
    #expect(site.mails == [])
  }

  @Test func `help has examples, and completions exist for three shells`() throws {
    let site = try TestSite()
    for command in [
      ["--help"], ["send", "--help"], ["check", "--help"], ["messages", "--help"], ["transports", "--help"],
    ] {
      let run = try ChildProcess.run("\(BuiltProducts.directory)/pabal", command)
      #expect(run.status == 0)
      #expect(run.output.contains("Example"))
    }
    for shell in ["bash", "zsh", "fish"] {
      let run = try site.pabal("--generate-completion-script", shell)
      #expect(run.status == 0)
      #expect(run.output.contains("dry-run"))
    }
  }
}
