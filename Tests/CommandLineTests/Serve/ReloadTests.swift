import Foundation
import PabalTesting
import Testing

/// `pabal serve` goes on with what `config.json` has become.
@Suite struct ReloadTests {
  private func served(_ configuration: String = TestSite.shipped(with: ServingSite.serve)) throws
    -> ServingSite
  {
    try ServingSite(TestSite(configuration))
  }

  @Test func `a transport switched under load loses nothing, refuses nothing, and takes what waits`()
    throws
  {
    let site = try TestSite(TestSite.scripted("held:transport", with: ServingSite.serve))
    try site.addFaultyPlugin()
    let served = try ServingSite(site)
    // It would wait for a reader of its log.
    let log = ThreadTask { try? served.server.transcript(until: "stopped") }
    let callers = (0..<4).map { part in
      ThreadTask {
        (0..<60).map { number in
          // Some thirds of the way the account's fault is answered by another transport, and that by a third.
          if part == 0, number == 20 { try? site.edit(#""transport": "first""#, #""transport": "file""#) }
          if part == 0, number == 40 {
            try? site.edit(#""directory": "mail""#, #""directory": "later""#)
          }
          return (try? served.start("k\(part)x\(number)@example.org")) ?? 0
        }
      }
    }
    #expect(callers.flatMap(\.value).allSatisfy { $0 == 202 })
    try eventually { site.mails(in: "mail").count + site.mails(in: "later").count >= 240 }
    let earlier = site.mails(in: "mail").count
    // Whichever edit was seen last, the next mail goes by the newest.
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

  @Test func `a broken edit changes nothing, is told with its place, and told again when it is mended`()
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
    try served.server.transcript(until: "configuration mended")
    try served.configuration(is: "in use since")
    let all = try served.stop()
    #expect(all.matches(of: /reload failed/).count == 1)
    #expect(!all.contains("reloaded "))
  }

  @Test func `a syntax error and a missing file are told, and neither shows what the file says`() throws {
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

  @Test func `SIGHUP fetches what stands outside of the file anew`() throws {
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

  @Test func `SIGHUP is answered, even where a broken file is broken as before`() throws {
    let http = try HTTPTestSite()
    func isTold(_ count: Int) throws {
      try eventually {
        let log = try String(contentsOfFile: "\(http.site.directory.path)/log", encoding: .utf8)
        return log.matches(of: /reload failed/).count == count
      }
    }
    try http.site.directory.write("{", to: "config.json")
    try isTold(1)
    kill(http.number, SIGHUP)
    try isTold(2)
    #expect(try http.stop().status == 0)
  }

  @Test func `a broken edit of a message is told by readyz until it is mended`() throws {
    let served = try served()
    #expect(try served.detail("messages") == "in use as their files are")
    let path = "messages/verification/ko.md"
    let good = try String(contentsOfFile: "\(served.site.directory.path)/\(path)", encoding: .utf8)
    try served.site.directory.write(good + "\n{{hunter2}}\n", to: path)
    try eventually { try served.detail("messages").hasPrefix("broken: verification/ko.md, line ") }
    #expect(try served.ask("/readyz").status == 200)
    #expect(try served.start("kim@example.org") == 202)
    try served.site.directory.write(good, to: path)
    try eventually { try served.detail("messages") == "in use as their files are" }
    try served.stop()
  }

  @Test func `a key that is taken out is worth nothing, one that is put in is`() throws {
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

  @Test func `a variable of the messages that is edited in a linked folder stands in the next mail`() throws {
    let site = try TestSite(TestSite.shipped(with: ServingSite.serve))
    // As Kubernetes mounts it: the link to the folder is exchanged, never the file.
    let text = try site.configured().replacing(#""directory": "m"#, with: #""directory": "../m"#)
    try site.directory.write(text, to: "one/config.json")
    try site.directory.write("", to: "two/empty")
    let path = site.directory.path
    unlink("\(path)/config.json")
    #expect(symlink("one", "\(path)/data") == 0)
    #expect(symlink("data/config.json", "\(path)/config.json") == 0)
    // Relative paths are relative to the file as it was named.
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

  @Test func `what can't change while it runs is told to need a restart, and stays`() throws {
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

  @Test func `mail whose next try is far off leaves as soon as the route is another one`() throws {
    let site = try TestSite(TestSite.scripted("deferred", with: ServingSite.serve))
    try site.addFaultyPlugin()
    let served = try ServingSite(site)
    // No code: the tries of one follow each other too soon.
    let variables =
      #""time": "2026-01-02T15:24:00Z", "device": "Chrome", "place": "Seoul", "link": "https://example.com/""#
    let mail = #"{"to": "kim@example.org", "message": "sign-in-alert", "variables": {\#(variables)}}"#
    #expect(try served.ask("/v1/mails", mail).status == 202)
    for attempt in 1...3 {
      try served.server.transcript(until: "state=waiting attempts=\(attempt) ")
      // After the third it is three minutes away, longer than anything here waits.
      if attempt < 3 { try #expect(site.pabal("outbox", "retry", "--all").status == 0) }
    }
    // An edit of something else leaves it there.
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

  @Test func `mail that is held by itself leaves when a setting of its transport is another one`()
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

  @Test func `a transport named for this run stays through an edit, and its disappearance is told`() throws {
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

  @Test func `a service whose transports another process found held isn't ready, until an edit mends it`()
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
    #expect(answer.status == 503)
    #expect(answer.body.contains("held since"))
    try site.edit(#""act": "held:transport""#, #""act": "sent""#)
    try served.server.transcript(until: "state=sent")
    try eventually { try served.ask("/readyz").status == 200 }
    #expect(try served.detail("first") == "open")
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
