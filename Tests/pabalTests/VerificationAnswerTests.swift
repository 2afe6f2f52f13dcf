import Foundation
import PabalTesting
import Testing

/// What the commands around verifications answer where something stands in the way.
@Suite struct VerifyErrorTests {
  @Test func `a limit is told in JSON by name, with the seconds to wait`() throws {
    let site = try TestSite()
    #expect(try site.pabal("verify", "start", "kim@example.com", "--queue").status == 0)
    let limited = try site.pabal("verify", "start", "kim@example.com", "--queue", "--json")
    #expect(limited.status == 75)
    let answer = try #require(
      try JSONSerialization.jsonObject(with: Data(limited.octets)) as? [String: Any])
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
