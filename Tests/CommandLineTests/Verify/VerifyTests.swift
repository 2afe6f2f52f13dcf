import Foundation
import PabalTesting
import Testing

/// The flow of a verification with the commands.
@Suite struct VerifyTests {
  @Test func `the shipped files verify an address: a Korean mail, a wrong code, the right one, the proof`()
    throws
  {
    let shipped = try String(contentsOfFile: "\(BuiltProducts.root)/config.json", encoding: .utf8)
    let site = try TestSite(shipped)
    try site.directory.copy("\(BuiltProducts.root)/Sources/Messages", to: "Sources/Messages")

    let start = try site.pabal("verify", "start", "you@example.org", "--language", "ko-KR")
    #expect(start.status == 0, "\(start.errors)")
    let id = String(
      try #require(start.output.firstMatch(of: /pending  ([0-9A-Z]{26})  y\*\*\*@example\.org/)?.1))
    #expect(start.output.contains("mail sent"))

    let mail = try site.read(Array(try site.onlyMail().utf8))
    let subject = try #require(mail["subject"] as? String)
    let code = String(try #require(subject.firstMatch(of: /^\[Pabal\] 인증번호 ([0-9]{6})$/)?.1))
    let text = try #require(mail["text"] as? String)
    #expect(text.contains(code) && text.contains("10분") && text.contains("인증번호"))
    #expect(mail["to"] as? String == "you@example.org")

    let wrong = try site.pabal("verify", "check", id, TestSite.wrong(code))
    #expect(wrong.status == 1)
    #expect(wrong.output == "mismatch: wrong code; attempts left: 4\n")
    let right = try site.pabal("verify", "check", id, "-", input: Array(" \(code)\n".utf8))
    #expect(right.status == 0)
    let proof = String(try #require(right.output.firstMatch(of: /^approved\nproof (\S+)\n$/)?.1))
    let again = try site.pabal("verify", "check", id, code)
    #expect(again.status == 1)
    #expect(again.output.hasPrefix("already_approved"))

    let redeemed = try site.pabal("verify", "redeem", proof)
    #expect(redeemed.status == 0)
    #expect(redeemed.output.hasPrefix("you@example.org verified for sign-up at "))
    let twice = try site.pabal("verify", "redeem", proof)
    #expect(twice.status == 65)
    #expect(twice.errors.contains("the proof has been redeemed already"))
    for run in [start, wrong, again, redeemed, twice] {
      #expect(!(run.output + run.errors).contains(code))
    }
  }

  @Test func `a verification is found by its address and by its reference`() throws {
    let site = try TestSite()
    let id = try site.startedID()
    let found = try site.pabal("verify", "find", " \(TestSite.address.uppercased())")
    #expect(
      found.status == 0 && found.output.contains(id) && found.output.contains("mail sent"), "\(found.errors)")
    #expect(found.output.contains(id.suffix(6)) && !found.output.contains(TestSite.address))
    let list =
      try site.pabal("verify", "find", TestSite.address, "--json").json["verifications"] as? [[String: Any]]
    #expect(list?.map { $0["id"] as? String } == [id])
    let status = try site.pabal("verify", "status", id.suffix(6).lowercased(), "--json")
    #expect(try status.json["id"] as? String == id)
    #expect(try site.pabal("verify", "status", "000000").status == 65)
    let none = try site.pabal("verify", "find", "none@example.org")
    #expect(none.status == 0 && none.output == "no verifications of this address are stored\n")
    #expect(try site.pabal("verify", "find", "none").status == 65)
  }

  @Test func `a code expires after ten minutes`() throws {
    let site = try TestSite()
    let id = try site.startedID()
    let code = try site.newestCode()
    let early = try site.check(id, TestSite.wrong(code), environment: TestSite.later(590))
    #expect(early.outcome == "mismatch")
    let late = try site.check(id, code, environment: TestSite.later(600))
    #expect(late.outcome == "expired" && late.status == 1 && late.proof == nil)
    let plain = try site.pabal("verify", "check", id, code, environment: TestSite.later(600))
    #expect(plain.output == "expired: the code has expired; start a new verification\n")
    let status = try site.pabal("verify", "status", id, "--json", environment: TestSite.later(600)).json
    #expect(status["status"] as? String == "expired")
  }

  @Test func `an expired proof is rejected`() throws {
    let site = try TestSite()
    let id = try site.startedID()
    let proof = try #require(try site.check(id, try site.newestCode()).proof)
    let late = try site.pabal("verify", "redeem", proof, environment: TestSite.later(901))
    #expect(late.status == 65)
    #expect(late.errors.contains("the proof has expired"))
    let intime = try site.pabal("verify", "redeem", proof, "--json")
    #expect(Set(try intime.json.keys) == ["id", "purpose", "address", "approved_at"])
    #expect(try intime.json["address"] as? String == TestSite.address)
  }

  @Test(arguments: ["the cooldown over", "no cooldown"])
  func `a second start supersedes the first code`(how: String) throws {
    let isOver = how == "the cooldown over"
    let site = try TestSite(
      isOver ? TestSite.shipped : TestSite.shipped(with: #""verification": { "cooldown": "0s" }"#))
    let first = try site.startedID()
    let old = try site.newestCode()
    let second = try site.startedID(environment: isOver ? TestSite.later(61) : [:])
    let new = try site.newestCode()
    #expect(first != second && site.mails.count == 2)
    #expect(try site.check(first, old).outcome == "superseded")
    // Two random codes are equal once in a million times.
    if old != new {
      let answer = try site.check(second, old)
      #expect(answer.outcome == "superseded" && answer.left == 4 && answer.status == 1)
    }
    #expect(try site.check(second, new).outcome == "approved")
  }

  @Test func `a start within the cooldown says how long to wait, and the code stays valid`() throws {
    let site = try TestSite()
    let id = try site.startedID()
    let again = try site.pabal("verify", "start", "YOU+shop@example.org")
    #expect(again.status == 75)
    let wait = try #require(again.errors.firstMatch(of: /try again in ([0-9]+) seconds/)?.1)
    #expect(1...60 ~= Int(wait) ?? 0)
    let resend = try site.pabal("verify", "resend", id, "--json")
    #expect(resend.status == 75)
    let errors = try #require(try resend.json["errors"] as? [[String: Any]])
    #expect((errors.first?["what"] as? String)?.contains("try again in") == true)
    #expect(site.mails.count == 1)
    #expect(try site.check(id, try site.newestCode()).outcome == "approved")
  }

  @Test func `a resend sends a new code and keeps the attempt count`() throws {
    let site = try TestSite()
    let id = try site.startedID()
    let old = try site.newestCode()
    #expect(try site.check(id, TestSite.wrong(old)).left == 4)
    let resend = try site.pabal("verify", "resend", id, "--json", environment: TestSite.later(61))
    #expect(resend.status == 0, "\(resend.errors)")
    #expect(try resend.json["generation"] as? Int == 2)
    #expect(try resend.json["attempts_remaining"] as? Int == 4)
    let new = try site.newestCode()
    if old != new { #expect(try site.check(id, old).outcome == "superseded") }
    #expect(try site.check(id, new).outcome == "approved")
    #expect(try site.pabal("verify", "resend", id, environment: TestSite.later(200)).status == 65)
  }

  @Test func `after five wrong codes even the right one is rejected`() throws {
    let site = try TestSite()
    let id = try site.startedID()
    let code = try site.newestCode()
    for left in [4, 3, 2, 1, 0] {
      let answer = try site.check(id, TestSite.wrong(code))
      #expect(answer.outcome == "mismatch" && answer.left == left)
    }
    let answer = try site.check(id, code)
    #expect(answer.outcome == "exhausted" && answer.left == 0 && answer.status == 1)
  }

  @Test func `a cancelled verification isn't sent, and its code is invalid`() throws {
    let site = try TestSite()
    let id = try site.startedID("--queue")
    let run = try site.pabal("verify", "cancel", id)
    #expect(run.status == 0)
    #expect(run.output.hasPrefix("cancelled  \(id)  y***@example.org (sign-up)\n  mail cancelled"))
    #expect(try site.pabal("verify", "cancel", id).status == 0)
    #expect(try site.check(id, "123456").outcome == "cancelled")
    #expect(try site.outbox().map { $0["status"] as? String } == ["cancelled"])
  }

  @Test func `a start for another purpose is a separate verification`() throws {
    let site = try TestSite()
    let id = try site.startedID()
    let code = try site.newestCode()
    let other = try site.startedID("--purpose", "reset")
    if try site.newestCode() != code { #expect(try site.check(other, code).outcome == "mismatch") }
    #expect(try site.check(id, code).outcome == "approved")
  }
}
