import Foundation
import PabalTesting
import Testing

/// The commands of `pabal suppress`, and what `pabal serve` does with the list.
@Suite struct SuppressCommandTests {
  @Test func `addresses are added, listed masked or whole, and removed`() throws {
    let site = try TestSite()
    #expect(try site.pabal("suppress", "list").output == "The suppression list is empty.\n")
    #expect(
      try site.pabal("suppress", "add", "Kim@example.org", "lee@example.org").output == "added 2 of 2\n")
    let again = try site.pabal("suppress", "add", "kim@example.org", "--json")
    #expect(again.status == 0)
    #expect(try again.json["changed"] as? Int == 0 && again.json["asked"] as? Int == 1)
    let list = try site.pabal("suppress")
    #expect(list.output.contains(/(?m)^K\*\*\*@example.org  manual  added \d{4}-\S+Z$/), "\(list.output)")
    #expect(!list.output.contains("Kim@"))
    let json = try site.pabal("suppress", "list", "--addresses", "--json").json
    #expect(json["count"] as? Int == 2)
    let entries = try #require(json["suppressions"] as? [[String: Any]])
    #expect(Set(entries.compactMap { $0["address"] as? String }) == ["Kim@example.org", "lee@example.org"])
    #expect(
      entries.map { Set($0.keys) }
        == Array(repeating: ["address", "to_masked", "reason", "code", "mail", "added_at"], count: 2))
    let short = try site.pabal("suppress", "list", "--limit", "1")
    #expect(short.output.hasSuffix("1 more; pass --limit to list them\n"))
    let removed = try site.pabal("suppress", "remove", "KIM@example.org", "park@example.org")
    #expect(removed.status == 65 && removed.output == "removed 1 of 2\n")
    #expect(removed.errors == "pabal: the others aren't on the suppression list\n")
    #expect(try site.pabal("suppress", "remove", "lee@example.org").status == 0)
    #expect(try site.pabal("suppress", "list", "--json").json["count"] as? Int == 0)
  }

  @Test func `an invalid address changes nothing`() throws {
    let site = try TestSite()
    let run = try site.pabal("suppress", "add", "kim@example.org", "no address")
    #expect(run.status == 65 && run.errors.contains("write it like name@example.org"), "\(run.errors)")
    #expect(try site.pabal("suppress").output == "The suppression list is empty.\n")
    #expect(try site.pabal("suppress", "add").status == 64)
    #expect(try site.pabal("suppress", "list", "--limit", "0").status == 64)
    #expect(try site.pabal("suppress", "--help").output.contains("pabal suppress add kim@example.org"))
  }

  @Test func `serve withholds bulk mail from suppressed recipients, and sends them codes`() throws {
    let site = try TestSite(TestSite.shipped(with: ServingSite.serve))
    try site.directory.write(
      #"{ "for": "news", "lane": "bulk", "unknown": "resend", "variables": {} }"#,
      to: "messages/news/message.json")
    try site.directory.write("Subject: 소식\n\n새 소식입니다.\n", to: "messages/news/ko.md")
    let serving = try ServingSite(site)
    // By another process while the service runs.
    #expect(try site.pabal("suppress", "add", "two@example.org").status == 0)
    let made = try serving.object(
      "/v1/mails", #"{ "to": ["one@example.org", "two@example.org"], "message": "news" }"#)
    let id = try #require(made["id"] as? String)
    func mail() throws -> [String: Any] { try site.pabal("outbox", "show", id, "--json").json }
    try eventually { try mail()["state"] as? String == "rejected" }
    let events = try #require(try mail()["events"] as? [[String: Any]])
    #expect(events.count == 1 && events[0]["event"] as? String == "suppressed")
    #expect(events[0]["to_masked"] as? String == "t***@example.org" && events[0]["code"] is NSNull)
    #expect(try site.pabal("outbox", "show", id).output.contains("  t***@example.org  suppressed at "))
    #expect(try site.pabal("outbox", "list").output.contains(" · 1 suppressed"))
    #expect(site.mails.count == 1)
    #expect(try serving.start("two@example.org") == 202)
    try eventually { site.mails.count == 2 }
    let metrics = try serving.ask("/metrics").body
    #expect(metrics.contains(#"pabal_suppressed_recipients_total{lane="bulk",withheld="yes"} 1"#))
    #expect(metrics.contains(#"pabal_suppressed_recipients_total{lane="code",withheld="no"} 1"#))
    let log = try serving.stop()
    #expect(
      log.contains(" suppressed recipients\" mail=\(id) lane=bulk recipients=1 withheld=yes")
        || log.contains(" suppressed recipients mail=\(id) lane=bulk recipients=1 withheld=yes"), "\(log)")
    #expect(log.contains(/suppressed recipients"? mail=\S+ lane=code recipients=1 withheld=no/))
    #expect(!log.contains("two@"))
  }
}
