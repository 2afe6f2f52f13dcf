import Foundation
import PabalTesting
import Testing

/// What became of mail, long after its content is erased.
@Suite struct OutboxHistoryTests {
  private static func ids(_ site: TestSite, _ arguments: String...) throws -> [String] {
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["outbox", "list", "--json"] + arguments,
      environment: TestSite.cleanEnvironment, directory: site.directory.path)
    #expect(run.status == 0, "\(run.errors)")
    return try #require(run.json["mails"] as? [[String: Any]]).compactMap { $0["id"] as? String }
  }

  @Test func `mail is found by recipient, submitter and page, and no address is stored`() throws {
    let http = try HTTPTestSite(
      more: #", "outbox": { "retention": "2160h" }, "verification": { "cooldown": "0s" }"#)
    let site = http.site
    func submit(_ to: String) throws -> String {
      let run = try ChildProcess.run(
        "curl",
        [
          "-sS", "-H", "Content-Type: message/rfc822", "-H", "Prefer: wait=20", "--data-binary",
          "Subject: x\n\nx\n",
          "http://127.0.0.1:\(http.port)/v1/mails?from=a@example.com&to=\(to)",
        ])
      return try #require(run.json["id"] as? String, "\(run.output)")
    }
    let first = try submit("Kim+orders@example.org")
    let second = try submit("lee@example.org&to=kim@EXAMPLE.org")
    let started = try http.start("kim@example.org")
    let third = try #require(started.delivery("mail"))
    _ = try submit("park@example.org")
    #expect(try Self.ids(site, "--to", "kim@example.org") == [third, second, first])
    #expect(try Self.ids(site, "--to", " KIM@example.org ", "--limit", "1") == [third])
    #expect(try Self.ids(site, "--to", "kim@example.org", "--limit", "1", "--before", third) == [second])
    #expect(try Self.ids(site, "--to", "lee@example.org", "--state", "sent") == [second])
    #expect(try Self.ids(site, "--to", "lee@example.org", "--state", "waiting").isEmpty)
    let text = try site.pabal("outbox", "list", "--to", "other@example.org").output
    #expect(text.contains("No such mail; mail in a final state is kept for outbox.retention."))
    // Over HTTP as by the command, and no address reaches the log.
    for answer in [
      try http.call("GET", "/v1/mails?to=Kim%40example.org&limit=2"),
      try http.call("POST", "/v1/mails/search", #"{"to": "kim@example.org", "limit": 2}"#),
    ] {
      #expect(answer.status == 200, "\(answer.body)")
      #expect(answer.body.matches(of: /"id":"([0-9A-Z]{26})"/).map { String($0.1) } == [third, second])
      #expect(answer.body.contains(#""next":"\#(second)""#))
    }
    // Totals are those of the whole outbox, so they aren't above what a search found.
    #expect(try site.pabal("outbox", "list").output.hasPrefix("4 sent\n"))
    #expect(try site.pabal("outbox", "list", "--to", "lee@example.org").output.hasPrefix(second))
    // Two months later.
    let later = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["outbox", "list", "--to", "kim@example.org", "--json"],
      environment: TestSite.cleanEnvironment.merging(TestSite.later(5_000_000)) { $1 },
      directory: site.directory.path)
    #expect((try later.json["mails"] as? [Any])?.count == 3, "\(later.errors)")
    let stopped = try http.stop()
    #expect(stopped.status == 0)
    #expect(stopped.log.contains("route=/v1/mails/search") && !stopped.log.lowercased().contains("kim"))
    for name in ["pabal.sqlite", "pabal.sqlite-wal"] {
      let bytes = (try? Data(contentsOf: URL(filePath: "\(site.directory.path)/\(name)"))) ?? Data()
      for address in ["kim", "lee@", "example.org"] {
        #expect(bytes.range(of: Data(address.utf8)) == nil, "\(name) has \(address)")
      }
    }
  }

  @Test func `a client of the API is a submitter`() throws {
    let key = try ChildProcess.run("\(BuiltProducts.directory)/pabal", ["keys", "client", "shop"])
    let digest = try #require(key.errors.firstMatch(of: /sha256:[0-9a-f]+/)?.0)
    let http = try HTTPTestSite(serve: #""clients": { "shop": "\#(digest)" }"#)
    let bearer = "Authorization: Bearer \(key.output.trimmingCharacters(in: .newlines))"
    let added = try http.call(
      "POST", "/v1/verifications", #"{"to": "kim@example.org"}"#, bearer, "Prefer: wait=20")
    let id = try #require(added.delivery("mail"), "\(added.body)")
    #expect(try Self.ids(http.site, "--submitter", "client:shop") == [id])
    #expect(try Self.ids(http.site, "--submitter", "client:other").isEmpty)
    #expect(try http.site.pabal("outbox", "show", id, "--json").json["submitter"] as? String == "client:shop")
    #expect(try http.site.pabal("outbox", "list").output.contains("from client:shop"))
  }

  @Test(arguments: [
    (["--to", "kim"], 64...66), (["--to", "a@b\r\nc"], 64...66), (["--before", "x"], 64...64),
    (["--submitter", "user:'; DROP TABLE mail; --"], 0...0),
  ])
  func `an input that isn't one is refused, and finds nothing else`(
    arguments: [String], statuses: ClosedRange<Int>
  )
    throws
  {
    let site = try TestSite()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["outbox", "list"] + arguments,
      environment: TestSite.cleanEnvironment,
      directory: site.directory.path)
    #expect(statuses.contains(Int(run.status)), "\(run.status) \(run.errors)")
  }
}
