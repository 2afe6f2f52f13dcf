import Foundation
import PabalTesting
import Testing

/// JSON output and invalid input of the verification commands.
@Suite struct VerifyOutputTests {
  /// Returns the required keys of a schema in the OpenAPI document.
  private static func keys(of schema: String) throws -> Set<String> {
    let data = try Data(contentsOf: URL(filePath: "\(BuiltProducts.root)/Sources/PabalHTTP/openapi.json"))
    let document = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    let schemas = (document?["components"] as? [String: Any])?["schemas"] as? [String: Any]
    return Set(try #require((schemas?[schema] as? [String: Any])?["required"] as? [String], "\(schema)"))
  }

  @Test func `every answer has the keys of the HTTP API, with null for missing values`() throws {
    let site = try TestSite()
    let queued = try site.start("--queue", "--language", "fr,en")
    let keys = try Self.keys(of: "Verification")
    #expect(Set(queued.keys) == keys)
    let delivery = try #require(queued["delivery"] as? [String: Any])
    #expect(Set(delivery.keys) == (try Self.keys(of: "Delivery")))
    #expect(delivery["status"] as? String == "waiting")
    #expect(delivery["outcome"] is NSNull && delivery["reply"] is NSNull)
    #expect(queued["language"] as? String == "en")
    #expect(queued["to_masked"] as? String == "y***@example.org")
    #expect(queued["code_length"] as? Int == 6)
    let id = try #require(queued["id"] as? String)
    #expect(queued["reference"] as? String == String(id.suffix(6)))
    let cancelled = try site.pabal("verify", "cancel", id, "--json").json
    #expect(Set(cancelled.keys) == keys)
    #expect(cancelled["resend_at"] is NSNull)
    let status = try site.pabal("verify", "status", id, "--json").json
    #expect(status["status"] as? String == "cancelled")
    // A verification whose mail is no longer in the outbox.
    let checked = try site.pabal("verify", "check", id, "1", "--json").json
    #expect(Set(checked.keys) == (try Self.keys(of: "Checked")))
    #expect(checked["proof"] is NSNull)
  }

  @Test func `a mail and a redeemed proof have the keys of the HTTP API`() throws {
    let site = try TestSite()
    let id = try site.startedID()
    let mail = try #require(try site.outbox().first)
    #expect(try Self.keys(of: "Mail").isSubset(of: mail.keys))
    #expect(mail["status"] as? String == "sent" && mail["outcome"] as? String == "sent")
    let proof = try #require(try site.check(id, try site.newestCode()).proof)
    let proven = try site.pabal("verify", "redeem", proof, "--json").json
    #expect(Set(proven.keys) == (try Self.keys(of: "Proven")))
  }

  @Test func `nothing but JSON reaches standard output, whatever the transport prints`() throws {
    let site = try TestSite(TestSite.configuration(transport: #""console""#))
    let run = try site.pabal("verify", "start", TestSite.address, "--json")
    #expect(run.status == 0)
    #expect(Set(try run.json.keys) == (try Self.keys(of: "Verification")))
    #expect(run.errors.contains("MAIL FROM:"))
  }

  @Test(
    arguments: ["status", "check", "resend", "cancel", "redeem"], ["NOPE", "", "x\r\ny", "../../etc/passwd"])
  func `an unknown id is reported`(command: String, id: String) throws {
    let site = try TestSite()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["verify", command, id] + (command == "check" ? ["123456"] : []),
      directory: site.directory.path)
    #expect(run.status == 65, "\(run.errors)")
    #expect(run.errors.contains("does not exist"))
  }

  @Test(arguments: [
    "x\r\nBcc: evil@example.net", "a@example.org\n", "a@example.org\r\nBcc: b@example.org",
    "a\u{1}b@example.org", String(repeating: "a", count: 10_000) + "@example.org", "", " ", "a@b@c", "plain",
    "Kim <kim@example.org>", "kim@example.org, lee@example.org",
    "kim@\(String(repeating: "a.", count: 200))org",
    "kim@[127.0.0.1", "\u{202E}kim@example.org@",
  ])
  func `an invalid address is rejected before anything is stored`(address: String) throws {
    let site = try TestSite()
    let run = try site.pabal("verify", "start", "--", address)
    #expect(run.status == 65, "\(run.status) \(run.output)")
    #expect(run.errors.hasPrefix("pabal: error: to: "), "\(run.errors)")
    #expect(run.errors.utf8.count < 1_000 && !run.errors.contains("\u{1}") && !run.errors.contains("\r"))
    #expect(site.mails == [])
    #expect(try site.pabal("outbox").output == "The outbox is empty.\n")
  }

  @Test func `an address that isn't UTF-8 is rejected, one in UTF-8 gets its mail`() throws {
    let site = try TestSite()
    let script = "exec \"$0\" verify start \"$(printf 'a\\377@b.c')\""
    let run = try ChildProcess.run(
      "/bin/sh", ["-c", script, "\(BuiltProducts.directory)/pabal"], directory: site.directory.path)
    #expect(run.status == 65)
    #expect(run.errors.contains("isn't valid UTF-8"))
    #expect(try site.pabal("verify", "start", "가나다@example.org").status == 0)
    #expect(try site.read(Array(try site.onlyMail().utf8))["to"] as? String == "가나다@example.org")
  }

  @Test func `any text is accepted as a code and mismatches, but a megabyte is rejected`() throws {
    let site = try TestSite()
    let id = try site.startedID()
    let code = try site.newestCode()
    for typed in [
      "", " ", "abc", "12345", "1234567", "１２３４５x", String(repeating: "1", count: 100_000),
      "\r\n", "'; drop table mail; --",
    ] {
      let answer = try site.check(id, typed)
      // Texts that can't be a code don't count as attempts.
      #expect(answer.outcome == "mismatch" && answer.left == 5, "\(typed.prefix(20).debugDescription)")
    }
    let million = try site.pabal("verify", "check", id, "-", input: Array(repeating: 0x31, count: 1_000_000))
    #expect(million.status == 65)
    #expect(million.errors.contains("larger than 1024 bytes"))
    // With spaces and a line break, as people paste it.
    let spaced = "\(code.prefix(3)) \(code.suffix(3))\n"
    #expect(try site.check(id, spaced).outcome == "approved")
  }

  @Test(arguments: [
    (["--set", "code=123456"], 65, "Pabal generates the code"),
    (["--set", "valid_for=tomorrow"], 65, "valid_for"),
    (["--set", "servcie=x"], 65, "has no variable \"servcie\""),
    (["--set", "service=a\r\nBcc: b@example.org"], 65, "U+000D"),
    (["--set", "service"], 64, "name=value"),
    (["--purpose", "a b"], 65, "purpose"),
    (["--purpose", String(repeating: "a", count: 65)], 65, "purpose"),
    (["--message", "../../etc"], 65, "unknown message"),
    (["--message", ""], 65, "unknown message"),
    (["--client", "somewhere"], 65, "isn't an IP address"),
    (["--transport", "missing"], 78, "unknown transport"),
  ])
  func `an invalid option is reported`(options: [String], status: Int32, error: String) throws {
    let site = try TestSite()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["verify", "start", TestSite.address] + options,
      directory: site.directory.path)
    #expect(run.status == status, "\(run.errors)")
    #expect(run.errors.contains(error), "\(run.errors)")
    #expect(site.mails == [])
  }

  @Test(arguments: [
    "ko\r\nX-Evil: 1", String(repeating: ",", count: 50_000), String(repeating: "xx,", count: 20_000), "*",
    "\u{1}",
    "../../etc", "k\u{2028}o",
  ])
  func `an invalid list of languages falls back to the default`(languages: String) throws {
    let site = try TestSite()
    let run = try site.pabal("verify", "start", TestSite.address, "--language", languages)
    #expect(run.status == 0 || run.status == 65, "\(run.errors.prefix(300))")
    if run.status == 0 {
      let mail = try site.read(Array(try site.onlyMail().utf8))
      #expect((mail["subject"] as? String)?.contains("인증번호") == true)
      #expect((mail["headers"] as? [String])?.contains("X-Evil") == false)
    }
  }
}
