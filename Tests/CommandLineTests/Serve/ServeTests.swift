import Foundation
import PabalTesting
import Testing

/// `pabal serve`: delivery, log, signals and alerts.
@Suite struct ServeTests {
  private func serve(
    _ site: TestSite, _ more: String..., environment: [String: String?] = [:]
  ) throws -> InteractiveProcess {
    let clean: [String: String?] = ["PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "PABAL_PLUGIN_PATH": nil]
    return try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve"] + more, environment: clean.merging(environment) { $1 },
      directory: site.directory.path)
  }

  private func states(_ site: TestSite) throws -> [String: Int] {
    try #require(try site.pabal("outbox", "--json", "--limit", "1").json["counts"] as? [String: Int])
  }

  /// A site whose transport is an SMTP server that `sink` creates.
  private func slow(_ sink: (TemporaryDirectory) throws -> SMTPSink) throws -> (TestSite, SMTPSink) {
    let site = try TestSite()
    let sink = try sink(site.directory)
    let smtp = #""plugin": "smtp", "host": "127.0.0.1", "port": \#(sink.port), "security": "none""#
    try site.directory.write(
      TestSite.configuration(transport: #""smtp""#, more: "\n\"smtp\": { \(smtp) },"), to: "config.json")
    return (site, sink)
  }

  @Test func `queued mail is sent, and the log has neither addresses, codes nor subjects`() throws {
    let site = try TestSite()
    let id = try site.startedID("--queue")
    #expect(site.mails == [])
    let server = try serve(site)
    try server.transcript(until: "state=sent")
    #expect(try site.check(id, try site.newestCode()).outcome == "approved")
    server.signal(SIGTERM)
    let end = try server.finish()
    #expect(end.status == 0)
    let code = try site.newestCode()
    for word in ["example.org", code, "인증", "you"] { #expect(!end.errors.contains(word)) }
    let events = end.errors.split(separator: "\n").map { $0.split(separator: " ")[1] }
    #expect(events == ["serving", "attempt", "settled", "stopping", "stopped"])
  }

  @Test func `mail that is queued while pabal serve runs is sent at its next poll`() throws {
    let site = try TestSite()
    let server = try serve(site)
    try server.transcript(until: "serving")
    try site.start("--queue")
    try server.transcript(until: "state=sent")
    #expect(site.mails.count == 1)
    server.signal(SIGINT)
    #expect(try server.finish().status == 0)
  }

  @Test func `with --json every line of the log is an object`() throws {
    let site = try TestSite()
    try site.start("--queue")
    let server = try serve(site, "--json")
    try eventually { try states(site)["sent"] != nil }
    server.signal(SIGTERM)
    let end = try server.finish()
    #expect(end.status == 0 && end.errors == "")
    var events: [String] = []
    for line in end.output.split(separator: "\n") {
      let object = try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String])
      #expect(object["time"]?.hasSuffix("Z") == true)
      events.append(try #require(object["event"]))
    }
    #expect(events == ["serving", "attempt", "settled", "stopping", "stopped"])
    #expect(!end.output.contains("example.org"))
  }

  @Test func `with --json an error at the start is one line, unlike that of other commands`() throws {
    let site = try TestSite(TestSite.configuration(transport: #""nowhere""#))
    let run = try site.pabal("serve", "--json")
    #expect(run.status == 78)
    #expect(run.output.hasSuffix("}\n") && run.output.count(where: \.isNewline) == 1, "\(run.output)")
    #expect(try run.json["errors"] != nil)
    let other = try site.pabal("check", "--json")
    #expect(other.output.count(where: \.isNewline) > 1)
  }

  @Test func `SIGTERM finishes the mail in progress and starts no other`() throws {
    let (site, sink) = try slow { try SMTPSink(in: $0, delay: 2) }
    for number in 0..<3 { _ = try site.pabal("verify", "start", "k\(number)@example.org", "--queue") }
    let server = try serve(site)
    try sink.received(3)
    _ = try site.pabal("verify", "start", "late@example.org", "--queue")
    server.signal(SIGTERM)
    let end = try server.finish()
    #expect(end.status == 0)
    #expect(end.errors.hasSuffix("stopped\n"))
    let counts = try states(site)
    #expect(counts["sending"] == nil)
    // The late mail may have been started before the signal arrived, and is then finished as well.
    #expect((counts["sent"] ?? 0) >= 3)
    #expect(try sink.taken().values.map(\.count).allSatisfy { $0 == 1 })
    #expect(try sink.taken().count == counts["sent"])
  }

  @Test func `a second signal ends pabal serve at once, and another process sends the mail after the lease`()
    throws
  {
    let (site, sink) = try slow { try SMTPSink(in: $0, delay: 9) }
    try site.start("--queue")
    let server = try serve(site)
    try sink.received(1)
    server.signal(SIGTERM)
    try server.transcript(until: "stopping mails=1")
    server.signal(SIGTERM)
    let end = try server.finish()
    #expect(end.status == 75 && end.errors.hasSuffix(" broken off mails=1\n"))
    #expect(try states(site) == ["sending": 1])
    let next = try serve(site, "--transport", "file", environment: TestSite.later(61))
    try next.transcript(until: "state=sent")
    next.signal(SIGTERM)
    #expect(try next.finish().status == 0)
    #expect(site.mails.count == 1)
  }

  @Test func `two pabal serve on one store never send a mail twice`() async throws {
    let site = try TestSite()
    let addresses = (0..<40).map { "k\($0)@example.org" }
    let added = await mapOnThreads([0, 1, 2, 3]) { part in
      addresses.enumerated().filter { $0.offset % 4 == part }.compactMap { _, address -> String? in
        Result { try site.pabal("verify", "start", address, "--queue") }.failureText
      }
    }
    #expect(added.joined().isEmpty, "\(added)")
    let servers = [try serve(site), try serve(site)]
    // Before it serves, a signal would end the process without the usual steps.
    for server in servers { try server.transcript(until: "serving") }
    try eventually { try states(site)["sent"] == 40 }
    for server in servers { server.signal(SIGTERM) }
    var attempts = 0
    for server in servers {
      let end = try server.finish()
      #expect(end.status == 0)
      attempts += end.errors.matches(of: /attempt mail=/).count
    }
    #expect(attempts == 40)
    #expect(site.mails.count == 40)
  }

  @Test func `an expired code is never sent`() throws {
    let site = try TestSite()
    try site.start("--queue")
    let server = try serve(site, environment: TestSite.later(601))
    try eventually { try states(site)["expired"] != nil }
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
    #expect(site.mails == [])
  }

  @Test func `a mail fails over to the route's next transport`() throws {
    let site = try TestSite(TestSite.scripted("deferred", transport: #"["first", "file"]"#))
    try site.addFaultyPlugin()
    try site.start("--queue")
    let server = try serve(site)
    let transcript = try server.transcript(until: "state=sent")
    #expect(transcript.contains("transport=first outcome=deferred"))
    #expect(transcript.contains("transport=file outcome=sent"))
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
    #expect(site.mails.count == 1)
  }

  @Test func `a held transport alerts once, and its mail waits until retry --all`() throws {
    let alert = "\"serve\": { \"alert\": [\"sh\", \"-c\", \"echo $0 $1 >> alerts\"] }"
    let site = try TestSite(
      TestSite.shipped(with: alert).replacing(
        #""directory": "mail" }"#, with: #""directory": "blocked/mail" }"#))
    try site.directory.write("in the way", to: "blocked")
    try site.start("--queue")
    try site.pabal("verify", "start", "kim@example.org", "--queue")
    let server = try serve(site)
    try server.transcript(until: "alerted alert=held about=file")
    let mails = try site.outbox()
    #expect(mails.map { $0["status"] as? String } == ["waiting", "waiting"])
    #expect(mails.allSatisfy { $0["waits_for"] as? String == "transport file is held" })
    try FileManager.default.removeItem(atPath: "\(site.directory.path)/blocked")
    #expect(try site.pabal("outbox", "retry", "--all").output == "retried 2\n")
    try server.transcript(until: "state=sent")
    try eventually { try states(site)["sent"] == 2 }
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
    let alerts = try String(contentsOfFile: "\(site.directory.path)/alerts", encoding: .utf8)
    #expect(alerts == "held file\n")
  }

  @Test func `an alert command that fails is logged and has no other effect`() throws {
    let site = try TestSite(
      TestSite.scripted("held:transport", with: #""serve": { "alert": ["/nowhere/alert"] }"#))
    try site.addFaultyPlugin()
    try site.start("--queue")
    let server = try serve(site)
    try server.transcript(until: "alert failed alert=held about=first")
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
  }

  @Test func `codes that wait too long run the alert command`() throws {
    let site = try TestSite(
      TestSite.scripted("held:mail", with: #""serve": { "alert": ["sh", "-c", "echo $0 $1 >> alerts"] }"#))
    try site.addFaultyPlugin()
    try site.start("--queue")
    let server = try serve(site, environment: TestSite.later(45))
    try server.transcript(until: "alerted alert=waiting")
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
    let alerts = try String(contentsOfFile: "\(site.directory.path)/alerts", encoding: .utf8)
    #expect(alerts.wholeMatch(of: /waiting 4[5-9]\n/) != nil, "\(alerts)")
  }
}

extension Result where Success == ChildProcess {
  /// Why the process failed; `nil` if it succeeded.
  fileprivate var failureText: String? {
    switch self {
    case .success(let run): run.status == 0 ? nil : "\(run.status): \(run.errors)"
    case .failure(let error): "\(error)"
    }
  }
}
