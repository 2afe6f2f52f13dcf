import Foundation
import PabalTesting
import Testing

/// `pabal serve` applies edits of `config.json`.
@Suite struct ReloadTests {
  private func served(_ configuration: String = TestSite.shipped(with: ServingSite.serve)) throws
    -> ServingSite
  {
    try ServingSite(TestSite(configuration))
  }

  @Test func `a switch of the transport under load loses and refuses nothing, and sends waiting mail`()
    throws
  {
    let site = try TestSite(TestSite.scripted("held:transport", with: ServingSite.serve))
    try site.addFaultyPlugin()
    let served = try ServingSite(site)
    // Reads the log in the background, because a full pipe would make the service drop lines.
    let log = ThreadTask { try? served.server.transcript(until: "stopped") }
    let callers = (0..<4).map { caller in
      ThreadTask {
        (0..<60).map { number in
          // A third of the way the held transport is replaced by another one, and at two thirds that by a third one.
          if caller == 0, number == 20 { try? site.edit(#""transport": "first""#, #""transport": "file""#) }
          if caller == 0, number == 40 {
            try? site.edit(#""directory": "mail""#, #""directory": "later""#)
          }
          return (try? served.start("k\(caller)x\(number)@example.org")) ?? 0
        }
      }
    }
    #expect(callers.flatMap(\.value).allSatisfy { $0 == 202 })
    try eventually { site.mails(in: "mail").count + site.mails(in: "later").count >= 240 }
    let earlier = site.mails(in: "mail").count
    // Mail takes the newest transport once the last edit has been applied.
    var more = 0
    repeat {
      more += 1
      #expect(try served.start("after\(more)@example.org") == 202)
      try eventually { site.mails(in: "mail").count + site.mails(in: "later").count >= 240 + more }
    } while site.mails(in: "later").isEmpty
    #expect(site.mails(in: "mail").count == earlier + more - 1)
    served.server.signal(SIGTERM)
    let transcript = try #require(log.value)
    #expect(try served.server.finish().status == 0)
    #expect(transcript.matches(of: /reloaded\s/).count == 2)
    #expect(!transcript.contains("lost"))
    let counts = try site.pabal("outbox", "--json", "--limit", "1").json["counts"] as? [String: Int]
    #expect(counts == ["sent": 240 + more])
  }

  @Test func `an edit by which others could change the configuration isn't applied`() throws {
    let served = try served()
    let config = "\(served.site.directory.path)/config.json"
    chmod(config, 0o666)
    let transcript = try served.server.transcript(until: "reload failed")
    #expect(transcript.contains("anyone can change this file"))
    #expect(try served.start("a@example.org") == 202)
    chmod(config, 0o600)
    _ = try served.server.transcript(until: "configuration m")
  }

  @Test func `a broken edit changes nothing and is reported with its position, and so is its correction`()
    throws
  {
    let served = try served()
    try served.site.edit(#""plugin": "file", "#, #""plugin": "file", "drectory": "x", "#)
    let transcript = try served.server.transcript(until: "reload failed")
    #expect(
      transcript.contains(/reload failed line=\d+ column=\d+ path=transports.file.drectory problem="unknown/))
    let detail = try served.detail("configuration")
    #expect(
      detail.contains(/^broken since 20.*Z: line \d+, column \d+, transports\.file\.drectory: unknown/),
      "\(detail)")
    #expect(try served.ask("/readyz").status == 200)
    #expect(try served.start("kim@example.org") == 202)
    try served.server.transcript(until: "state=sent")
    try served.site.edit(#""drectory": "x", "#, "")
    try served.server.transcript(until: "configuration m")
    try served.configuration(is: "in use since")
    let all = try served.stop()
    #expect(all.matches(of: /reload failed/).count == 1)
    #expect(!all.contains("reloaded "))
  }

  @Test func `a syntax error and a missing file are reported without the content of the file`() throws {
    let served = try served()
    let good = try served.site.configured()
    try served.site.directory.write(
      good.replacing(#""from": "#, with: #""from": "hunter2 hunter2", "x": "#), to: "config.json")
    try served.server.transcript(until: "reload failed")
    let before = try served.detail("configuration")
    try served.site.directory.write(String(good.dropLast(4)), to: "config.json")
    try eventually { try served.detail("configuration") != before }
    #expect(try served.detail("configuration").contains("line "))
    unlink("\(served.site.directory.path)/config.json")
    try eventually { try served.detail("configuration").contains("file not found") }
    #expect(!(try served.object("/readyz").description.contains("hunter2")))
    try served.site.directory.write(good, to: "config.json")
    try served.configuration(is: "in use")
    #expect(!(try served.stop().contains("hunter2")))
  }

  @Test func `SIGHUP fetches values outside the file again`() throws {
    let site = try TestSite(
      TestSite.configuration(transport: #""file""#, variables: #""service": { "file": "service" }"#)
        .replacing(#""from""#, with: ServingSite.serve + #", "from""#))
    try site.directory.write("Alpha", to: "service")
    chmod("\(site.directory.path)/service", 0o600)
    let served = try ServingSite(site)
    #expect(try served.start("a@example.org") == 202)
    try served.server.transcript(until: "state=sent")
    #expect(try site.onlyMail().contains("Alpha"))
    try site.directory.write("Omega", to: "service")
    served.server.signal(SIGHUP)
    try served.server.transcript(until: "reloaded")
    #expect(try served.start("b@example.org") == 202)
    try eventually { site.mails.count >= 2 }
    #expect(try site.texts().contains { $0.contains("Omega") })
    try served.stop()
  }

  @Test func `SIGHUP is reported even if the file is broken as before`() throws {
    let http = try HTTPTestSite()
    func waitForReports(_ count: Int) throws {
      try eventually {
        let log = try String(contentsOfFile: "\(http.site.directory.path)/log", encoding: .utf8)
        return log.matches(of: /reload failed/).count == count
      }
    }
    try http.site.directory.write("{", to: "config.json")
    try waitForReports(1)
    kill(http.number, SIGHUP)
    try waitForReports(2)
    #expect(try http.stop().status == 0)
  }

  @Test func `readyz reports a broken edit of a message until it is corrected`() throws {
    let served = try served()
    #expect(try served.detail("messages") == "up to date")
    let path = "messages/verification/ko.md"
    let good = try String(contentsOfFile: "\(served.site.directory.path)/\(path)", encoding: .utf8)
    try served.site.directory.write(good + "\n{{hunter2}}\n", to: path)
    try eventually { try served.detail("messages").hasPrefix("broken: verification/ko.md, line ") }
    #expect(try served.ask("/readyz").status == 200)
    #expect(try served.start("kim@example.org") == 202)
    try served.site.directory.write(good, to: path)
    try eventually { try served.detail("messages") == "up to date" }
    try served.stop()
  }

  @Test func `a removed key is refused, and an added one is accepted`() throws {
    let served = try served()
    #expect(try served.ask("/v1/verifications/NONE").status == 404)
    let made = try served.site.pabal("keys", "client", "till", "--json").json
    let digest = try #require(made["configured"] as? String)
    let line = "\"till\": \"\(digest)\""
    let text = try served.site.configured()
    let old = try #require(text.firstMatch(of: /"shop": "[^"]*"/)).0
    try served.site.edit(String(old), line)
    try eventually { try served.ask("/v1/verifications/NONE").status == 401 }
    let key = try #require(made["key"] as? String)
    #expect(try served.ask("/v1/verifications/NONE", key: key).status == 404)
    try served.stop()
  }

  @Test func `an edit behind a symbolic link applies to the next mail`() throws {
    let site = try TestSite(TestSite.shipped(with: ServingSite.serve))
    // As Kubernetes mounts it: the link to the directory is replaced, never the file.
    let text = try site.configured().replacing(#""directory": "m"#, with: #""directory": "../m"#)
    try site.directory.write(text, to: "one/config.json")
    try site.directory.write("", to: "two/empty")
    let path = site.directory.path
    unlink("\(path)/config.json")
    #expect(symlink("one", "\(path)/data") == 0)
    #expect(symlink("data/config.json", "\(path)/config.json") == 0)
    // Relative paths are relative to the path of the file as given, not to the target of the link.
    try site.directory.write(
      try site.configured().replacing(#""../m"#, with: #""m"#), to: "one/config.json")
    let served = try ServingSite(site)
    try site.directory.write(
      try site.configured().replacing(#""service": "Pabal""#, with: #""service": "Omega""#),
      to: "two/config.json")
    #expect(symlink("two", "\(path)/data.new") == 0)
    #expect(rename("\(path)/data.new", "\(path)/data") == 0)
    try served.server.transcript(until: "reloaded")
    #expect(try served.start("kim@example.org") == 202)
    try served.server.transcript(until: "state=sent")
    #expect(try site.onlyMail().contains("Omega"))
    try served.stop()
  }

  @Test func `a change that needs a restart is reported and not applied`() throws {
    let served = try served()
    try served.site.edit(#""listen": "127.0.0.1:0""#, #""listen": "127.0.0.1:1""#)
    try served.server.transcript(until: "restart needed path=serve.listen")
    try served.site.edit(#""from""#, #""storage": { "path": "other.sqlite" }, "from""#)
    try served.server.transcript(until: "restart needed path=storage")
    try served.configuration(is: "needs a restart for serve.listen, storage")
    #expect(try served.start("kim@example.org") == 202)
    try served.server.transcript(until: "state=sent")
    #expect(!FileManager.default.fileExists(atPath: "\(served.site.directory.path)/other.sqlite"))
    try served.stop()
  }

  @Test func `mail whose next attempt is far off is sent as soon as the route changes`() throws {
    let site = try TestSite(TestSite.scripted("deferred", with: ServingSite.serve))
    try site.addFaultyPlugin()
    let served = try ServingSite(site)
    // Not a code, because its attempts follow each other too quickly.
    let variables =
      #""time": "2026-01-02T15:24:00Z", "device": "Chrome", "place": "Seoul", "link": "https://example.com/""#
    let mail = #"{"to": "kim@example.org", "message": "sign-in-alert", "variables": {\#(variables)}}"#
    #expect(try served.ask("/v1/mails", mail).status == 202)
    for attempt in 1...3 {
      try served.server.transcript(until: "state=waiting attempts=\(attempt) ")
      // After the third attempt the next one is three minutes away, longer than the test waits.
      if attempt < 3 { try #expect(site.pabal("outbox", "retry", "--all").status == 0) }
    }
    // An edit of something else doesn't send it.
    try site.edit(#""service": "Pabal""#, #""service": "Omega""#)
    try served.server.transcript(until: "reloaded route=first")
    #expect(try site.pabal("outbox", "--json").output.contains(#""waiting""#))
    try site.edit(#""transport": "first""#, #""transport": "file""#)
    try served.server.transcript(until: "reloaded route=file")
    try eventually { site.mails.count == 1 }
    let transcript = try served.stop()
    #expect(transcript.contains("hastened mails=1"))
    #expect(transcript.matches(of: /hastened/).count == 1)
  }

  @Test func `mail that is held on its own is sent when a setting of its transport changes`()
    throws
  {
    let site = try TestSite(TestSite.scripted("held:mail", with: ServingSite.serve))
    try site.addFaultyPlugin()
    let served = try ServingSite(site)
    #expect(try served.start("kim@example.org") == 202)
    try served.server.transcript(until: "state=waiting attempts=1 ")
    try site.edit(#""act": "held:mail""#, #""act": "deferred""#)
    try served.server.transcript(until: "state=waiting attempts=2 ")
    try site.edit(#""act": "deferred""#, #""act": "sent""#)
    try served.server.transcript(until: "state=sent attempts=3")
    try served.stop()
  }

  @Test func `a transport named on the command line stays through an edit, and its removal is reported`()
    throws
  {
    let site = try TestSite(TestSite.shipped(with: ServingSite.serve))
    let served = try ServingSite(site, "--transport", "file")
    try site.edit(#""transport": "file""#, #""transport": "console""#)
    try served.server.transcript(until: "reloaded route=file")
    try site.edit(#""file": {"#, #""gone": {"#)
    try served.server.transcript(until: "reload failed path=--transport")
    #expect(try served.start("kim@example.org") == 202)
    try served.server.transcript(until: "transport=file outcome=sent")
    try served.stop()
  }

  @Test func `a service whose transport another process found held is degraded until an edit fixes it`()
    throws
  {
    let site = try TestSite(TestSite.scripted("held:transport", with: ServingSite.serve))
    try site.addFaultyPlugin()
    let other = try ServingSite(site)
    #expect(try other.start("kim@example.org") == 202)
    try other.server.transcript(until: "held transport=first")
    try other.stop()
    let served = try ServingSite(site, key: other.key)
    let answer = try served.ask("/readyz")
    #expect(answer.status == 200 && answer.body.contains(#""status":"degraded""#))
    #expect(answer.body.contains("held since") && answer.body.contains(": held:transport"))
    try site.edit(#""act": "held:transport""#, #""act": "sent""#)
    try served.server.transcript(until: "state=sent")
    try eventually { try served.ask("/readyz").body.contains(#""status":"ready""#) }
    #expect(try served.detail("first") == "ready")
    try served.stop()
  }
}

extension TestSite {
  /// The text parts of the mails the file transport has written.
  fileprivate func texts() throws -> [String] {
    try mails.map { name in
      let data = try Data(contentsOf: URL(filePath: "\(directory.path)/mail/\(name)"))
      return (try read(Array(data))["text"] as? String) ?? ""
    }
  }
}
