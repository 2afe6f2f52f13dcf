import Foundation
import PabalTesting
import Testing

/// Reports about submitted mail, of a `pabal serve` whose mail server refuses recipients; see `Tests/Servers/bounces.py`.
@Suite struct BounceTests {
  private static func run(_ name: String, _ more: String...) throws -> [String: Any] {
    let directory = try TemporaryDirectory()
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/bounces.py", name, "\(BuiltProducts.directory)/pabal",
        directory.path,
      ] + more)
    try #require(run.status == 0, "\(run.errors)")
    print("bounces \(name): \(run.output.prefix(4_000))")
    return try run.json
  }

  @Test func `a refused mail of each door is reported once, in a form that Python and Debian read`() throws {
    let result = try Self.run("readers")
    #expect(result["to"] as? [[String]] == Array(repeating: ["kim@client.test"], count: 3))
    let states = try #require(result["states"] as? [[String]])
    #expect(
      states == Array(repeating: [["rejected", "sender"], ["sent", "report"]], count: 3).flatMap { $0 })
    let ids = try #require(result["ids"] as? [String])
    let python = try #require(result["python"] as? [[String: Any]])
    for (report, id) in zip(python, ids) {
      #expect(report["type"] as? String == "multipart/report")
      #expect(report["from"] as? String == "Mail Delivery System <pabal@one.test>")
      #expect(report["first line"] as? String == "Your mail to refused@there.test could not be delivered.")
      #expect(report["defects"] as? [String] == [])
      let message = try #require(report["message"] as? [String: String])
      #expect(message["Reporting-MTA"] == "dns; one.test" && message["X-Pabal-Queue-Id"] == id)
      let recipients = try #require(report["recipients"] as? [[String: String]])
      #expect(recipients.map { $0["Final-Recipient"] } == ["rfc822; refused@there.test"])
      #expect(recipients.map { $0["Status"] } == ["5.1.1"])
      #expect(recipients.map { $0["Remote-MTA"] } == ["dns; [127.0.0.1]"])
    }
    let debian = try #require(result["debian"] as? [[String: Any]])
    for report in debian {
      #expect(
        report["types"] as? [String]
          == ["multipart/report", "text/plain", "message/delivery-status", "text/rfc822-headers"])
      #expect(report["bounce"] as? Int == 1)
      #expect(report["reports"] as? [[String]] == [["refused@there.test", "550", "user_unknown"]])
      #expect((report["id"] as? String)?.contains("<first@client.test>") == true)
    }
    let log = try #require(result["log"] as? String)
    #expect(log.matches(of: /reported mail=\w+ report=\w+ action=failed recipients=1/).count == 3)
  }

  @Test func `a report goes through a server that takes 7-bit mail only, and is read by Python and Debian`()
    throws
  {
    let result = try Self.run("seven_bit")
    #expect(
      result["states"] as? [[String]]
        == Array(repeating: [["rejected", "sender"], ["sent", "report"]], count: 3).flatMap { $0 })
    #expect(result["8bit"] as? Int == 0)
    #expect(result["longest line"] as? Int ?? 999 <= 998)
    #expect(result["defects"] as? [String] == [])
    #expect(
      result["debian types"] as? [String]
        == ["text/rfc822-headers", "text/rfc822-headers", "message/rfc822"])
    let contents = try #require(result["debian"] as? [String])
    #expect(contents[0].contains("Subject: 안녕") && contents[1].contains("Subject: caf\u{FFFD}"))
    #expect(contents[2].contains("Subject: whole"))
    #expect(result["whole"] as? String == "본문\n")
  }

  @Test func `a server that refuses the null sender keeps the reports only`() throws {
    let result = try Self.run("null_sender")
    #expect(
      result["states"] as? [[String]] == [
        ["rejected", "sender"], ["rejected", "report"], ["sent", "sender"],
      ])
    #expect(
      (result["metrics"] as? [String])?.contains(#"pabal_unreported_mails_total{reason="report"} 1"#) == true)
    #expect(result["ready"] as? String == "ready")
  }

  @Test func `two Pabals and vacation responders don't answer each other for ever`() throws {
    let result = try Self.run("loops")
    let rows = try #require(result["rows"] as? [[[String]]]).flatMap { $0 }
    #expect(rows.count < 20)
    #expect(rows.filter { $0[1] == "automatic" }.count >= 4)
    #expect(rows.filter { $0[1] == "report" }.count == 2)
    #expect(result["reports"] as? [Int] == [1, 1])
  }

  @Test func `codes, null senders, reports and automatic responses are never reported`() throws {
    let result = try Self.run("silence")
    #expect(result["statuses"] as? [Int] == [202, 202])
    #expect(
      result["rows"] as? [[String]] == [
        ["rejected", ""], ["rejected", ""], ["rejected", "null-sender"], ["rejected", "automatic"],
        ["rejected", "automatic"],
      ])
    #expect(result["accepted"] as? Int == 0)
    let metrics = try #require(result["metrics"] as? [String])
    #expect(metrics.contains(#"pabal_unreported_mails_total{reason="automatic"} 2"#))
    #expect(metrics.contains(#"pabal_unreported_mails_total{reason="null-sender"} 1"#))
    #expect(metrics.contains(#"pabal_reports_total{action="failed"} 0"#))
  }

  @Test func `a drop file that is refused for good is reported, where there is a sender to report to`() throws
  {
    let result = try Self.run("drops")
    #expect(result["refused"] as? [String] == ["A", "C", "E", "G", "J", "M"])
    #expect(result["rows"] as? [[String]] == [["sent", "report"], ["sent", "report"]])
    #expect(result["to"] as? [String] == ["kim@client.test", "lee@client.test"])
    #expect((result["log"] as? [String])?.sorted() == ["A", "C"])
    #expect(result["debian"] as? [Int] == [1, 1])
    let reports = try #require(result["reports"] as? [String: [String: Any]])
    let first = try #require(reports["kim@client.test"])
    #expect(first["defects"] as? [String] == [])
    #expect((first["message"] as? [String: String])?["Original-Envelope-Id"] == "a b")
    #expect(first["first line"] as? String == "Your mail to 2 recipients could not be delivered.")
    let recipients = try #require(first["recipients"] as? [[String: String]])
    #expect(
      recipients.map { $0["Final-Recipient"] } == ["rfc822; bob@there.test", "unknown; not an address"])
    #expect(recipients.allSatisfy { $0["Diagnostic-Code"]?.hasPrefix("smtp; 501 5.1.3 ") == true })
    let second = try #require(reports["lee@client.test"]?["recipients"] as? [[String: String]])
    #expect(second.map { $0["Original-Recipient"] } == ["rfc822; robert@there.test"])
    #expect(second.map { $0["Status"] } == ["5.3.4"])
  }

  /// The number of kills; `PABAL_KILLS` sets another one for `./dev soak`.
  private static let kills = ProcessInfo.processInfo.environment["PABAL_KILLS"].flatMap(Int.init) ?? 20

  @Test func `kill -9 at any moment leaves one report for each refused mail`() throws {
    let result = try Self.run("kills", "\(Self.kills)")
    #expect(try #require(result["submitted"] as? Int) >= Self.kills, "too little load")
    for key in ["without a report", "reported twice", "wrong recipients"] {
      #expect(result[key] as? [String] == [], "\(key)")
    }
    #expect(result["states"] as? [[String]] == [["rejected", "sender"], ["sent", "report"]])
  }
}
