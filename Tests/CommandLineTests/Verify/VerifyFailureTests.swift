import Foundation
import PabalTesting
import Testing

/// A failed send is told, in status and words.
@Suite struct VerifyDeliveryFailureTests {
  @Test func `a rejected send leaves no cooldown and no spent cap`() throws {
    // One mail an hour, so that a cap that was spent would show.
    let site = try TestSite(
      TestSite.scripted("rejected", with: #""verification": { "recipient": ["1/1h"] }"#))
    try site.addFaultyPlugin()
    let run = try site.pabal("verify", "start", TestSite.address, "--json")
    #expect(run.status == 69)
    let delivery = try #require(try run.json["delivery"] as? [String: Any])
    #expect(delivery["status"] as? String == "rejected")
    #expect(delivery["outcome"] as? String == "rejected")
    // What it cost is one of the mails that a verification may send.
    #expect(try run.json["sends_remaining"] as? Int == 4)
    let told = try site.pabal("verify", "start", TestSite.address)
    #expect(told.status == 69)
    #expect(told.output.contains("mail rejected; this address will never be taken"))
    let other = try site.pabal("verify", "start", TestSite.address, "--transport", "second")
    #expect(other.status == 0, "\(other.errors)")
    // And now it is spent.
    #expect(try site.pabal("verify", "start", TestSite.address, "--transport", "second").status == 75)
  }

  @Test(arguments: [
    ("deferred", 75, "deferred", "deferred", "`pabal serve` tries again"),
    ("held:transport", 77, "held", "held", "see `pabal check`"),
    ("held:mail", 77, "held", "held", "see `pabal check`"),
    ("unknown", 74, "deferred", "unknown", "it may have arrived, or not"),
    ("none", 74, "deferred", "unknown", "it may have arrived, or not"),
    ("rejected", 69, "rejected", "rejected", "will never be taken"),
    ("unsuited", 69, "rejected", "unsuited", "no transport can carry this mail"),
  ])
  func `a send that failed for now says so, and the mail waits`(
    act: String, status: Int32, state: String, outcome: String, words: String
  ) throws {
    let site = try TestSite(TestSite.scripted(act, with: #""verification": { "cooldown": "0s" }"#))
    try site.addFaultyPlugin()
    let run = try site.pabal("verify", "start", TestSite.address, "--json")
    #expect(run.status == status, "\(run.errors)")
    let delivery = try #require(try run.json["delivery"] as? [String: Any])
    #expect(delivery["status"] as? String == state)
    #expect(delivery["outcome"] as? String == outcome)
    let told = try site.pabal("verify", "start", "other@example.org")
    #expect(told.status == status)
    #expect(told.output.contains(words), "\(told.output)")
    if status != 69 { #expect(try site.outbox().allSatisfy { $0["status"] as? String == "waiting" }) }
  }

  @Test func `a send that is deferred keeps its cooldown`() throws {
    let site = try TestSite(TestSite.scripted("deferred"))
    try site.addFaultyPlugin()
    #expect(try site.pabal("verify", "start", TestSite.address).status == 75)
    let again = try site.pabal("verify", "start", TestSite.address, "--transport", "second")
    #expect(again.status == 75)
    #expect(again.errors.contains("try again in"))
  }

  @Test func `a mail that a pace puts off says for what it waits, and until when`() throws {
    let site = try TestSite(
      TestSite.shipped(with: #""outbox": { "pacing": { "file": { "sends": 1, "per": "1h" } } }"#))
    #expect(try site.pabal("verify", "start", "kim@example.org").errors == "")
    let run = try site.pabal("verify", "start", TestSite.address, "--json")
    #expect(run.status == 0)
    #expect((try run.json["delivery"] as? [String: Any])?["status"] as? String == "waiting")
    let told =
      #/pabal: the transport file has spent its pace until [0-9T:.-]+Z; the mail is in the outbox, .*\n/#
    #expect(run.errors.wholeMatch(of: told) != nil, "\(run.errors)")
    #expect(site.mails.count == 1)
  }

  @Test func `a route fails over within one start`() throws {
    let site = try TestSite(TestSite.scripted("deferred", "sent", transport: #"["first", "second"]"#))
    try site.addFaultyPlugin()
    #expect(try site.start()["status"] as? String == "pending")
    #expect(try site.outbox().first?["transport"] as? String == "second")
  }

  @Test func `a transport that can't be opened holds the mail, which is kept`() throws {
    let site = try TestSite(
      TestSite.configuration(
        transport: #""broken""#, more: #""broken": { "plugin": "file", "directory": "/proc/none" },"#))
    let run = try site.pabal("verify", "start", TestSite.address)
    #expect(run.status == 77, "\(run.errors)")
    #expect(try site.outbox().first?["held"] as? String == "transport")
  }
}

/// What the commands around verifications answer where something stands in the way.
@Suite struct VerifyErrorTests {
  @Test func `a limit is told in JSON by name, with the seconds to wait`() throws {
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

  @Test func `a notice sends the message that the configuration names for it`() throws {
    let site = try TestSite()
    #expect(try site.pabal("verify", "start", "kim@example.com", "--notice").status == 0)
    #expect(try site.read(Array(site.onlyMail().utf8))["subject"] as? String == "[Pabal] 이미 가입된 이메일 주소입니다")
    let other = try TestSite(TestSite.shipped(with: #""verification": { "notice": "verification" }"#))
    let refused = try other.pabal("verify", "start", "kim@example.com", "--notice")
    #expect(refused.status == 65 && refused.errors.contains("a notice has none"))
  }

  @Test func `keys that can't be looked at are not called gone`() throws {
    let site = try TestSite()
    #expect(try site.pabal("verify", "start", "kim@example.com", "--queue").status == 0)
    let keys = "\(site.directory.path)/keys"
    try FileManager.default.moveItem(atPath: keys, toPath: "\(keys)-away")
    let gone = try site.pabal("outbox", "list")
    #expect(gone.status == 78 && gone.errors.contains("is gone"))
    // A loop of links, since no mode keeps root out.
    try FileManager.default.createSymbolicLink(atPath: keys, withDestinationPath: keys)
    let unread = try site.pabal("outbox", "list")
    #expect(unread.status == 78)
    #expect(unread.errors.contains("may not read") && !unread.errors.contains("gone"))
  }

  @Test func `a held transport is told by check and above the list`() throws {
    let site = try TestSite(TestSite.scripted("held:transport"))
    try site.addFaultyPlugin()
    #expect(try site.pabal("verify", "start", "kim@example.com").status == 77)
    let list = try site.pabal("outbox", "list")
    #expect(list.output.hasPrefix("transport first is held since "))
    #expect(try site.pabal("check").output.contains("transport first is held since "))
  }
}
