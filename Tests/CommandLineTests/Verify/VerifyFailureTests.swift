import Foundation
import PabalTesting
import Testing

/// Failed deliveries are reported by exit status and text.
@Suite struct VerifyDeliveryFailureTests {
  @Test func `a rejected mail doesn't count towards cooldown and limits`() throws {
    // One mail per hour, so that a counted mail would be noticed.
    let site = try TestSite(
      TestSite.scripted("rejected", with: #""verification": { "recipient": ["1/1h"] }"#))
    try site.addFaultyPlugin()
    let run = try site.pabal("verify", "start", TestSite.address, "--json")
    #expect(run.status == 69)
    let delivery = try #require(try run.json["delivery"] as? [String: Any])
    #expect(delivery["status"] as? String == "rejected")
    #expect(delivery["outcome"] as? String == "rejected")
    #expect(try run.json["status"] as? String == "undeliverable")
    #expect(try run.json["sends_remaining"] as? Int == 0)
    let plain = try site.pabal("verify", "start", "other@example.org")
    #expect(plain.status == 69)
    #expect(plain.output.contains("mail rejected; the address doesn't accept mail"))
    let other = try site.pabal("verify", "start", TestSite.address, "--transport", "second")
    #expect(other.status == 0, "\(other.errors)")
    // The limit is reached now.
    #expect(try site.pabal("verify", "start", TestSite.address, "--transport", "second").status == 75)
  }

  @Test(arguments: [
    ("deferred", 75, "deferred", "deferred", "`pabal serve` retries"),
    ("held:transport", 77, "held", "held", "run `pabal check`"),
    ("held:mail", 77, "held", "held", "run `pabal check`"),
    ("unknown", 74, "deferred", "unknown", "it may have arrived; `pabal serve` sends it again"),
    ("none", 74, "deferred", "unknown", "it may have arrived; `pabal serve` sends it again"),
    ("rejected", 69, "rejected", "rejected", "doesn't accept mail"),
    ("unsuited", 69, "rejected", "unsuited", "no transport can carry this mail"),
  ])
  func `a failed delivery is reported, and the mail waits unless it was rejected`(
    act: String, status: Int32, state: String, outcome: String, advice: String
  ) throws {
    let site = try TestSite(TestSite.scripted(act, with: #""verification": { "cooldown": "0s" }"#))
    try site.addFaultyPlugin()
    let run = try site.pabal("verify", "start", TestSite.address, "--json")
    #expect(run.status == status, "\(run.errors)")
    let delivery = try #require(try run.json["delivery"] as? [String: Any])
    #expect(delivery["status"] as? String == state)
    #expect(delivery["outcome"] as? String == outcome)
    let plain = try site.pabal("verify", "start", "other@example.org")
    #expect(plain.status == status)
    #expect(plain.output.contains(advice), "\(plain.output)")
    if status != 69 { #expect(try site.outbox().allSatisfy { $0["status"] as? String == "waiting" }) }
  }

  @Test func `a deferred mail counts towards the cooldown`() throws {
    let site = try TestSite(TestSite.scripted("deferred"))
    try site.addFaultyPlugin()
    #expect(try site.pabal("verify", "start", TestSite.address).status == 75)
    let again = try site.pabal("verify", "start", TestSite.address, "--transport", "second")
    #expect(again.status == 75)
    #expect(again.errors.contains("try again in"))
  }

  @Test func `a mail delayed by pacing is reported with the transport and the time`() throws {
    let site = try TestSite(
      TestSite.shipped(with: #""outbox": { "pacing": { "file": { "sends": 1, "per": "1h" } } }"#))
    #expect(try site.pabal("verify", "start", "kim@example.org").errors == "")
    let run = try site.pabal("verify", "start", TestSite.address, "--json")
    #expect(run.status == 0)
    #expect((try run.json["delivery"] as? [String: Any])?["status"] as? String == "waiting")
    let notice =
      #/pabal: transport file: rate limit reached until [0-9T:.-]+Z; the mail is queued, .*\n/#
    #expect(run.errors.wholeMatch(of: notice) != nil, "\(run.errors)")
    #expect(site.mails.count == 1)
  }

  @Test func `a route fails over within one start`() throws {
    let site = try TestSite(TestSite.scripted("deferred", "sent", transport: #"["first", "second"]"#))
    try site.addFaultyPlugin()
    #expect(try site.start()["status"] as? String == "pending")
    #expect(try site.outbox().first?["transport"] as? String == "second")
  }

  @Test func `a mail is kept and held if the transport can't be opened`() throws {
    let site = try TestSite(
      TestSite.configuration(
        transport: #""broken""#, more: #""broken": { "plugin": "file", "directory": "/proc/none" },"#))
    let run = try site.pabal("verify", "start", TestSite.address)
    #expect(run.status == 77, "\(run.errors)")
    #expect(try site.outbox().first?["held"] as? String == "transport")
  }
}

/// Errors of the verification commands.
@Suite struct VerifyErrorTests {
  @Test func `--json reports a reached limit by name with the seconds to wait`() throws {
    let site = try TestSite()
    #expect(try site.pabal("verify", "start", "kim@example.com", "--queue").status == 0)
    let limited = try site.pabal("verify", "start", "kim@example.com", "--queue", "--json")
    #expect(limited.status == 75)
    let answer = try #require(
      try JSONSerialization.jsonObject(with: Data(limited.bytes)) as? [String: Any])
    #expect(answer["limit"] as? String == "cooldown" && answer["done"] as? Bool == false)
    #expect(1...60 ~= (answer["retry_after"] as? Int ?? 0))
    #expect((answer["errors"] as? [Any])?.count == 1)
  }

  @Test func `a notice sends the configured message`() throws {
    let site = try TestSite()
    #expect(try site.pabal("verify", "start", "kim@example.com", "--notice").status == 0)
    #expect(try site.read(Array(site.onlyMail().utf8))["subject"] as? String == "[Pabal] 이미 가입된 이메일 주소입니다")
    let other = try TestSite(TestSite.shipped(with: #""verification": { "notice": "verification" }"#))
    let refused = try other.pabal("verify", "start", "kim@example.com", "--notice")
    #expect(refused.status == 65 && refused.errors.contains("a notice has none"))
  }

  @Test func `inaccessible keys are not reported as missing`() throws {
    let site = try TestSite()
    #expect(try site.pabal("verify", "start", "kim@example.com", "--queue").status == 0)
    let keys = "\(site.directory.path)/keys"
    try FileManager.default.moveItem(atPath: keys, toPath: "\(keys)-away")
    let gone = try site.pabal("outbox", "list")
    #expect(gone.status == 78 && gone.errors.contains("is missing"))
    // A loop of symbolic links, because permissions don't apply to root.
    try FileManager.default.createSymbolicLink(atPath: keys, withDestinationPath: keys)
    let unread = try site.pabal("outbox", "list")
    #expect(unread.status == 78)
    #expect(unread.errors.contains("can't read the keys") && !unread.errors.contains("missing"))
  }

  @Test func `check and outbox list report a held transport`() throws {
    let site = try TestSite(TestSite.scripted("held:transport"))
    try site.addFaultyPlugin()
    #expect(try site.pabal("verify", "start", "kim@example.com").status == 77)
    let list = try site.pabal("outbox", "list")
    #expect(list.output.hasPrefix("transport first is held since "))
    #expect(try site.pabal("check").output.contains("transport first is held since "))
  }
}
