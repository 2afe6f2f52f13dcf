import Foundation
import PabalTesting
import Testing

/// `pabal serve` as an SMTP service, with the clients of Python's standard library.
@Suite struct ListenerTests {
  private static let startTLS = #"{ "submission": { "listen": ["127.0.0.1:0"], FILES, USERS } }"#
  private static let servers = "\(BuiltProducts.root)/.build-servers"
  private static let fail2ban = "\(servers)/usr/bin/fail2ban-regex"

  @Test func `a user who logs in after STARTTLS sends mail, and others can't`() throws {
    let site = try ListenerSite(Self.startTLS)
    let result = try site.run("logged_in")
    #expect(result["offered"] as? Bool == false)
    #expect(result["plain"] as? Int == 538 || result["plain"] as? Int == 530)
    #expect(result["stranger"] as? Int == 530)
    #expect(result["before"] as? Int == 530)
    #expect(result["mechanisms"] as? [String] == ["PLAIN", "LOGIN"])
    #expect(result["login"] as? Int == 235)
    #expect(result["mail"] as? Int == 250)
    #expect(result["steps"] as? Int == 235)
    #expect(result["second"] as? Int == 250)
    try eventually { site.site.mails.count == 2 }
    let log = site.log
    #expect(log.contains(/submitted mail=\S+ submitter=user:printer door=smtp recipients=1 bytes=\d+/))
    #expect(!log.contains("correct") && !log.contains("example.com"))
    let mail = try #require(site.site.outbox().first)
    #expect(mail["submitter"] as? String == "user:printer")
    #expect(try site.site.pabal("outbox", "list").output.contains("from user:printer"))
    #expect(try site.stop() == 0)
  }

  @Test func `a connection with TLS from its beginning needs no STARTTLS`() throws {
    let site = try ListenerSite(
      #"{ "submission": { "listen": "127.0.0.1:0", "security": "tls", FILES, USERS } }"#)
    let result = try site.run("implicit")
    #expect(result["starttls"] as? Bool == false)
    #expect(result["version"] as? String == "TLSv1.3")
    #expect(result["login"] as? Int == 235)
    #expect(result["mail"] as? Int == 250)
  }

  @Test func `plain text behind STARTTLS is never taken for a command`() throws {
    let site = try ListenerSite(Self.startTLS)
    let result = try site.run("injection")
    let together = try #require(result["together"] as? String)
    #expect(together.hasPrefix("554 5.5.0") && !together.contains("250") && !together.contains("220"))
    #expect((result["separate"] as? String)?.contains("250") == false)
    #expect(result["after"] as? Int == 235)
  }

  @Test func `what isn't TLS ends its connection only`() throws {
    let site = try ListenerSite(
      #"{ "submission": { "listen": "127.0.0.1:0", "security": "tls", FILES, USERS } }"#)
    let result = try site.run("garbage")
    #expect(result["mail"] as? Int == 250)
    #expect(site.log.contains("submission handshake failed address=127.0.0.1"))
  }

  @Test func `an address that guesses passwords is refused, and the log names it once for each guess`() throws
  {
    let site = try ListenerSite(Self.startTLS)
    let result = try site.run("brute_force")
    #expect(result["wrong"] as? [Int] == Array(repeating: 535, count: 10))
    #expect(result["right"] as? Int == 454)
    let lines = site.log.split(separator: "\n").filter { $0.contains("submission login failed") }
    #expect(lines.count == 10)
    #expect(lines.allSatisfy { $0.contains(" submission login failed address=127.0.0.1 user=") })
    #expect(lines.allSatisfy { $0.utf8.count < 250 })
    #expect(site.log.contains("submission logins limited address=127.0.0.1"))
    #expect(!site.log.contains("wrong"))
  }

  @Test(.enabled(if: fail2ban.exists, "needs Tests/Servers/install.sh"))
  func `fail2ban, with the filter of the documentation, finds the address in each log, and no forged one`()
    throws
  {
    let page = try String(
      contentsOfFile: "\(BuiltProducts.root)/Sources/PabalCore/PabalCore.docc/Submission.md", encoding: .utf8)
    let filter = try #require(page.firstMatch(of: /failregex = (.+)/)?.1)
    let site = try ListenerSite(Self.startTLS)
    _ = try site.run("brute_force")
    let directory = site.site.directory
    let path = try directory.write("[Definition]\nfailregex = \(filter)\n", to: "filter.conf")
    // A file of its own, the system's log, and the journal, whose entries fail2ban prefixes without the time.
    let lines = site.log.split(separator: "\n")
    for (name, prefix) in [
      ("own", ""), ("syslog", "Dec  1 00:00:00 host pabal-main[123]: "),
      ("journal", "host pabal-main[123]: "),
    ] {
      let log = try directory.write(lines.map { "\(prefix)\($0)\n" }.joined(), to: name)
      let run = try ChildProcess.run(
        "/usr/bin/python3", [Self.fail2ban, "-o", "ip", log, path],
        environment: ["PYTHONPATH": "\(Self.servers)/usr/lib/python3/dist-packages"])
      #expect(
        run.output.split(separator: "\n") == Array(repeating: "127.0.0.1", count: 10),
        "\(name): \(run.output) \(run.errors)")
    }
    // The entries of the journal keep Pabal's time, too.
    let script = """
      import re, sys
      pattern = re.compile(sys.argv[1].replace("<HOST>", r"(?P<host>[0-9a-fA-F:.]+)"))
      print(*[m.group("host") for m in map(pattern.search, open("journal")) if m])
      """
    let run = try ChildProcess.run("python3", ["-c", script, String(filter)], directory: directory.path)
    #expect(run.output.split(whereSeparator: \.isWhitespace) == Array(repeating: "127.0.0.1", count: 10))
  }

  @Test func `a certificate is read again when its files change, and a broken one isn't used`() throws {
    let site = try ListenerSite(
      #"{ "submission": { "listen": "127.0.0.1:0", "security": "tls", FILES, USERS } }"#)
    let directory = site.site.directory.path
    #expect(try site.run("certificate")["subject"] as? String == "first")
    // The key of another certificate.
    try site.replace("server.key", by: "renewed.key")
    try site.logged("certificate failed")
    #expect(try site.run("certificate")["subject"] as? String == "first")
    try site.replace("server.pem", by: "renewed.pem")
    try site.logged("certificate reloaded")
    #expect(try site.run("certificate")["subject"] as? String == "second")
    #expect(!site.log.contains("BEGIN"))
    #expect(FileManager.default.fileExists(atPath: directory))
  }

  @Test func `the holder of a certificate of the configured authority needs no password`() throws {
    let site = try ListenerSite(
      #"{ "submission": { "listen": "127.0.0.1:0", FILES, "client_ca": "ca.pem" } }"#)
    let result = try site.run("client_certificates")
    #expect(result["None"] as? Int == 530)
    #expect(result["client"] as? Int == 250)
    #expect(result["stranger"] as? String == "refused")
    #expect(site.log.contains("submitter=certificate:scanner"))
  }

  @Test func `a listed fingerprint needs no authority, and its subject means nothing`() throws {
    let site = try ListenerSite(
      #"{ "submission": { "listen": "127.0.0.1:0", FILES, "certificates": { "lobby": "SHA-stranger" } } }"#)
    let result = try site.run("client_certificates")
    #expect(result["None"] as? Int == 530)
    #expect(result["client"] as? Int == 530)
    #expect(result["stranger"] as? Int == 250)
    #expect(site.log.contains("submitter=certificate:lobby"))
  }

  @Test func `a fingerprint that a reload removes sends no more mail over open connections`() throws {
    let site = try ListenerSite(
      #"{ "submission": { "listen": "127.0.0.1:0", FILES, "certificates": { "door": "SHA-client", "lobby": "SHA-stranger" } } }"#
    )
    let client = try site.start("reload_certificates")
    try client.transcript(until: "edit")
    let removed = try #require(site.fingerprints["stranger"])
    try site.site.edit(removed, String(repeating: "0", count: 64))
    try site.logged("reloaded")
    try client.type(line: "")
    let result = try client.finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      result.output.contains(
        #""before": {"client": 250, "stranger": 250}, "after": {"client": 250, "stranger": 530}"#),
      "\(result.output)")
  }

  @Test func `users and networks change by a reload, for open connections too`() throws {
    let site = try ListenerSite(Self.startTLS)
    let client = try site.start("reload")
    try client.transcript(until: "edit")
    try site.site.edit("\"printer\"", "\"copier\"")
    try site.logged("reloaded")
    try client.type(line: "")
    let result = try client.finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output.contains(#""before": 235, "kept": 530, "after": 535"#), "\(result.output)")
    #expect(try site.run("attempt")["mail"] as? Int == 530)
    try site.site.edit("\"users\"", "\"networks\": [\"127.0.0.0/8\"], \"users\"")
    try eventually { try site.run("attempt")["mail"] as? Int == 250 }
    // What can't change while it runs is said.
    try site.site.edit("127.0.0.1:0", "127.0.0.2:0")
    try site.logged("restart needed path=serve.submission")
    #expect(try site.run("attempt")["mail"] as? Int == 250)
  }

  @Test func `a broken edit keeps the listener as it is`() throws {
    let site = try ListenerSite(Self.startTLS)
    try site.site.edit("server.pem", "missing.pem")
    try site.logged("reload failed")
    #expect(try site.run("logged_in")["mail"] as? Int == 250)
  }

  @Test func `a client that is connected when the service stops gets 421`() throws {
    let site = try ListenerSite(
      #"{ "submission": { "listen": "127.0.0.1:0", "security": "none", "networks": ["127.0.0.1"] } }"#)
    let client = try site.start("stopped")
    try client.transcript(until: "stop")
    #expect(try site.stop() == 0)
    #expect(try client.finish().output.contains("421 4.3.2"))
  }

  @Test func `metrics count submissions, and one process serves HTTP and SMTP`() throws {
    let site = try ListenerSite(
      """
      { "listen": "127.0.0.1:0", "keyless": true,
        "submission": { "listen": "127.0.0.1:0", FILES, USERS, "networks": ["127.0.0.1"] } }
      """)
    #expect(try site.run("attempt")["mail"] as? Int == 250)
    _ = try site.run("brute_force")
    try site.logged("Z listening")
    let port = try #require(site.log.firstMatch(of: /Z listening host=127.0.0.1 port=(\d+)/)).1
    let metrics = try ChildProcess.run("curl", ["-s", "http://127.0.0.1:\(port)/metrics"]).output
    #expect(metrics.contains(#"pabal_submissions_total{door="smtp",result="queued"} 1"#))
    #expect(metrics.contains(#"pabal_submitted_mails_total{submitter="network:127.0.0.1"} 1"#))
    #expect(metrics.contains(#"pabal_submission_login_failures_total{reason="failed"} 10"#))
    #expect(metrics.contains("pabal_submission_connections "))
  }

  @Test
  func `programs of this machine send by the socket, and by the drop directory while the service is down`()
    throws
  {
    let site = try ListenerSite(#"{ "submission": { "socket": "submit", "drop": "drop" } }"#)
    let directory = site.site.directory.path
    try FileManager.default.createDirectory(atPath: "\(directory)/drop", withIntermediateDirectories: false)
    #expect(chmod("\(directory)/drop", 0o3733) == 0)
    let user = try ChildProcess.run("id", ["-un"]).output.trimmingCharacters(in: .newlines)
    let mail = Array("From: a@example.com\nSubject: test\n\nbody\n".utf8)
    for (socket, door) in [("submit", "socket"), ("missing", "drop")] {
      let run = try site.site.pabal(
        "sendmail", "--socket", "\(directory)/\(socket)", "--drop", "\(directory)/drop", "-i",
        "b@example.com",
        input: mail)
      #expect(run.status == 0, "\(run.errors)")
      try site.logged("submitter=local:\(user) door=\(door) recipients=1")
    }
    try eventually { site.site.mails.count == 2 }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: "\(directory)/drop").allSatisfy {
        ["refused", "limits"].contains($0)
      })
    #expect(try site.stop() == 0)
    #expect(!"\(directory)/submit".exists)
  }

  @Test func `an address that is taken is an error at the start and in pabal check`() throws {
    let site = try ListenerSite(
      #"{ "submission": { "listen": "127.0.0.1:0", "security": "none", "networks": ["127.0.0.1"] } }"#)
    let listener = try TestSite(
      TestSite.shipped(
        with:
          #""serve": { "submission": { "listen": "127.0.0.1:\#(site.ports[0])", "security": "none", "networks": ["127.0.0.1"] } }"#
      ))
    let run = try listener.pabal("serve")
    #expect(run.status == 78)
    #expect(run.errors.contains("can't listen on 127.0.0.1:\(site.ports[0])"))
    // A Pabal that is running there isn't an error of the check.
    let check = try listener.pabal("check")
    #expect(check.output.contains("ok  submission 127.0.0.1:\(site.ports[0]): a running Pabal listens there"))
  }

  @Test func `pabal check finds certificates that can't be used and keys that others can read`() throws {
    let site = try ListenerSite(
      #"{ "submission": { "listen": "127.0.0.1:0", FILES } }"#)
    _ = try site.stop()
    let plain = try site.site.pabal("check").output
    #expect(plain.contains("accepts no mail"))
    #expect(plain.contains("ok  submission 127.0.0.1:0"))
    #expect(chmod("\(site.site.directory.path)/server.key", 0o644) == 0)
    #expect(
      try site.site.pabal("check").output.contains("every user of this machine can read the private key"))
    try site.replace("server.key", by: "renewed.key")
    let broken = try site.site.pabal("check")
    #expect(broken.status == 78)
    #expect(broken.output.contains("not the key of the certificate"))
  }
}

/// `pabal keys user`: passwords and their hashes.
@Suite struct KeysUserTests {
  @Test func `a password is printed once, and its hash is the one of another implementation`() throws {
    let site = try TestSite()
    let made = try site.pabal("keys", "user", "printer", "--json").json
    let password = try #require(made["password"] as? String)
    let configured = try #require(made["configured"] as? String)
    #expect(password.count == 26)
    #expect(configured.hasPrefix("scrypt:14:8:1:"))
    let script = """
      import hashlib, sys
      _, cost, r, p, salt, known = sys.argv[2].split(":")
      found = hashlib.scrypt(sys.argv[1].encode(), salt=bytes.fromhex(salt), n=2**int(cost), r=int(r), p=int(p), dklen=len(known) // 2)
      print(found.hex() == known)
      """
    #expect(try ChildProcess.run("python3", ["-c", script, password, configured]).output == "True\n")
    let text = try site.pabal("keys", "user", "printer")
    #expect(text.output.count == 27)
    #expect(text.errors.contains(#""users": { "printer": { "password": "scrypt:"#))
  }

  @Test func `a password from standard input isn't printed`() throws {
    let site = try TestSite()
    let run = try site.pabal("keys", "user", "printer", "--stdin", input: Array("correct horse\n".utf8))
    #expect(run.status == 0)
    #expect(run.output.hasPrefix(#""printer": { "password": "scrypt:14:8:1:"#))
    #expect(!run.output.contains("horse") && !run.errors.contains("horse"))
    #expect(try site.pabal("keys", "user", "printer", "--stdin", input: Array("short\n".utf8)).status == 64)
  }
}

extension ListenerSite {
  /// Replaces a file of the site by a copy of another one, by a rename.
  func replace(_ name: String, by other: String) throws {
    let directory = site.directory.path
    try FileManager.default.copyItem(atPath: "\(directory)/\(other)", toPath: "\(directory)/.new")
    #expect(rename("\(directory)/.new", "\(directory)/\(name)") == 0)
  }
}
