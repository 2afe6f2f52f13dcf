import Foundation
import PabalTesting
import Testing

/// The verification API, as the server of a sign-up form uses it.
@Suite struct VerificationAPITests {
  @Test func `a wrong code is a mismatch, the right one is approved, and its proof is redeemed once`()
    throws
  {
    let http = try HTTPTestSite()
    let started = try http.start()
    #expect(started.status == 202 && started["status"] == "pending" && started.delivery("status") == "sent")
    #expect(started.fields["preference-applied"] == "wait=20")
    #expect(started["to_masked"] == "y***@example.org" && !started.body.contains(TestSite.address))
    let id = try #require(started["id"])
    #expect(started.fields["location"] == "/v1/verifications/\(id)")
    let code = try http.site.newestCode()

    let wrong = try http.check(id, TestSite.wrong(code))
    #expect(wrong.status == 200 && wrong["outcome"] == "mismatch" && wrong["proof"] == nil)
    #expect(wrong.json["attempts_remaining"] as? Int == 4)
    // Full-width digits, as a Korean keyboard enters them.
    let wide = String(code.unicodeScalars.map { Character(Unicode.Scalar($0.value + 0xFEE0) ?? $0) })
    let right = try http.check(id, "\(wide.prefix(3)) \(wide.suffix(3))")
    #expect(right["outcome"] == "approved")
    #expect(try http.check(id, code)["outcome"] == "already_approved")

    let proof = #"{"proof": "\#(try #require(right["proof"]))"}"#
    let proven = try http.call("POST", "/v1/proofs/redeem", proof)
    #expect(proven.status == 200 && proven["address"] == TestSite.address && proven["purpose"] == "sign-up")
    let again = try http.call("POST", "/v1/proofs/redeem", proof)
    #expect(again.status == 409 && again["type"] == "/problems/proof-redeemed")
    #expect(try http.call("GET", "/v1/verifications/\(id)")["status"] == "consumed")
  }

  @Test func `a resend during the cooldown is refused with the time to wait`() throws {
    let http = try HTTPTestSite()
    let id = try #require(try http.start()["id"])
    let early = try http.call("POST", "/v1/verifications/\(id)/resend")
    #expect(early.status == 429 && early["type"] == "/problems/limit-reached" && early["limit"] == "cooldown")
    let wait = try #require(early.fields["retry-after"].flatMap { Int($0) })
    #expect((1...60).contains(wait))
    #expect(early.fields["ratelimit"] == "\"cooldown\";r=0;t=\(wait)")
    #expect(early.fields["content-type"] == "application/problem+json")
  }

  @Test func `a resend supersedes the earlier code`() throws {
    let http = try HTTPTestSite(more: #", "verification": { "cooldown": "0s" }"#)
    let id = try #require(try http.start()["id"])
    let first = try http.site.newestCode()
    let resent = try http.call("POST", "/v1/verifications/\(id)/resend", nil, "Prefer: wait=20")
    #expect(resent.status == 202 && resent.json["generation"] as? Int == 2)
    #expect(try http.check(id, first)["outcome"] == "superseded")
    #expect(try http.check(id, try http.site.newestCode())["outcome"] == "approved")
  }

  @Test func `five wrong codes exhaust a verification, and a cancelled one reports that it is cancelled`()
    throws
  {
    let http = try HTTPTestSite(more: #", "verification": { "cooldown": "0s" }"#)
    let id = try #require(try http.start()["id"])
    let code = try http.site.newestCode()
    for left in (0..<5).reversed() {
      #expect(try http.check(id, TestSite.wrong(code)).json["attempts_remaining"] as? Int == left)
    }
    #expect(try http.check(id, code)["outcome"] == "exhausted")
    let other = try #require(try http.start("other@example.org")["id"])
    #expect(try http.call("POST", "/v1/verifications/\(other)/cancel")["status"] == "cancelled")
    #expect(try http.check(other, "123456")["outcome"] == "cancelled")
    let late = try http.call("POST", "/v1/verifications/\(other)/resend")
    #expect(late.status == 409 && late["type"] == "/problems/ended")
  }

  @Test(arguments: [
    ("rejected", "rejected"), ("held:transport", "held"), ("held:mail", "held"), ("deferred", "deferred"),
    ("unknown", "deferred"),
  ])
  func `a request that waits for the first attempt reports that it failed`(act: String, status: String) throws
  {
    let http = try HTTPTestSite(
      TestSite.scripted(act, with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }"#)
    ) { try $0.addFaultyPlugin() }
    let started = try http.start()
    #expect(started.status == 202 && started.delivery("status") == status)
    #expect(started.delivery("outcome") == String(act.prefix { $0 != ":" }))
  }

  @Test(arguments: [
    ("wait=20", "wait=20"), ("wait=\"20\"", "wait=20"), ("respond-async, WAIT = 20", "wait=20"),
    ("wait=99", "wait=30"), ("wait=0", "wait=0"), ("wait=-1", nil), ("wait=soon", nil), ("wait=\"", nil),
    ("wait", nil), ("wait=99999999999999999999", nil),
  ])
  func `the response names the wait that was applied, and an invalid wait is ignored`(
    asked: String, applied: String?
  ) throws {
    let http = try HTTPTestSite()
    let started = try http.call(
      "POST", "/v1/verifications", #"{"to": "you@example.org"}"#, "Prefer: \(asked)")
    #expect(started.status == 202 && started.fields["preference-applied"] == applied)
  }

  @Test func `the log says why the store failed, without personal data`() throws {
    let http = try HTTPTestSite()
    let id = try #require(try http.start()["id"])
    try http.site.loseTables()
    #expect(try http.start("lee@example.org")["type"] == "/problems/storage-unavailable")
    #expect(try http.check(id, "123456").status == 503)
    let mail = #"{"to": "lee@example.org", "message": "verification", "variables": {"code": "123456"}}"#
    #expect(try http.call("POST", "/v1/mails", mail).status == 503)
    let log = try http.stop().log
    #expect(log.matches(of: /\ refused problem="[^"]+/).count == 3, "\(log)")
    #expect(!log.contains("lee@"))
  }

  @Test func `a request that doesn't wait is answered once the mail is in the outbox`() throws {
    let http = try HTTPTestSite()
    let started = try http.call("POST", "/v1/verifications", #"{"to": "you@example.org"}"#)
    #expect(started.status == 202 && started.fields["preference-applied"] == nil)
    let mail = try #require(started.delivery("mail"))
    #expect(try http.call("GET", "/v1/mails/\(mail)")["id"] == mail)
  }

  @Test func `all missing, invalid and unknown variables are reported at once, each with its field`() throws {
    let http = try HTTPTestSite()
    func fields(_ path: String, _ body: String) throws -> [String] {
      let wrong = try http.call("POST", path, body)
      #expect(wrong.status == 400 && wrong["type"] == "/problems/invalid-request", "\(wrong.body)")
      return (wrong.json["errors"] as? [[String: String]] ?? []).compactMap { $0["field"] }
    }
    let alert = #""message": "sign-in-alert", "to": "a@example.org""#
    let missing = ["variables.time", "variables.device", "variables.place", "variables.link"]
    #expect(Set(try fields("/v1/mails", "{\(alert)}")) == Set(missing))
    let some = #""variables": {"time": "soon", "device": "x", "place": "y", "lnik": "https://example.com"}"#
    #expect(
      Set(try fields("/v1/mails", "{\(alert), \(some)}")) == [
        "variables.time", "variables.link", "variables.lnik",
      ])
    #expect(
      try fields(
        "/v1/mails",
        #"{\#(alert), "variables": {"time": "2026-01-02T15:24:00Z", "device": "x", "place": "y"}}"#) == [
          "variables.link"
        ])
    #expect(
      Set(try fields("/v1/verifications", #"{"to": "a@example.org", "variables": {"a": "x", "b": "y"}}"#))
        == ["variables.a", "variables.b"])
    let run = try http.site.pabal("send", "a@example.org", "--message", "sign-in-alert")
    #expect(run.status == 65)
    for name in ["time", "device", "place", "link"] { #expect(run.errors.contains("\"\(name)\"")) }
  }

  @Test func `all errors in a request are reported at once`() throws {
    let http = try HTTPTestSite()
    let wrong = try http.call("POST", "/v1/verifications", #"{"too": "a@example.org", "purpose": 7}"#)
    #expect(wrong.status == 400 && wrong["type"] == "/problems/invalid-request")
    let fields = (wrong.json["errors"] as? [[String: String]] ?? []).compactMap { $0["field"] }
    #expect(Set(fields) == ["to", "too", "purpose"])
    let invalid = try http.call(
      "POST", "/v1/verifications",
      #"{"to": "kim", "purpose": "Sign up!", "language": "korean", "client": {"ip": "x"}, "mesage": "y"}"#)
    let errors = (invalid.json["errors"] as? [[String: String]] ?? []).map {
      ($0["field"] ?? "", $0["detail"] ?? "")
    }
    #expect(errors.map(\.0) == ["to", "purpose", "language", "client.ip", "mesage"])
    #expect(errors.first?.1 == "'kim' isn't an address: it has no @")
    #expect(try http.call("POST", "/v1/verifications", #"{"to": "a@b"#).status == 400)
    #expect(try http.call("POST", "/v1/verifications", #"{"to": "kim"}"#).status == 400)
    for text in ["", "{", "\u{FF}"] {
      let response = try http.call("POST", "/v1/verifications", text)
      #expect(response.status == 400 && response["detail"]?.contains("the file") == false, "\(response.body)")
    }
    let text = try http.call("POST", "/v1/verifications", nil, "Content-Type: text/plain")
    #expect(text.status == 415)
    #expect(try http.call("GET", "/v1/verifications/4QXJ7M2ZP0R8T6V1W3Y5A9B7CD").status == 404)
    #expect(try http.call("GET", "/v2").status == 404)
    let method = try http.call("DELETE", "/v1/verifications")
    #expect(method.status == 405 && method.fields["allow"] == "GET, HEAD, POST")
    let big = #"{"to": "\#(String(repeating: "a", count: 70_000))"}"#
    #expect(try http.call("POST", "/v1/verifications", big).status == 413)
    #expect(http.site.mails == [])
  }

  @Test func `any message is sent with its variables, or rendered without being sent`() throws {
    let http = try HTTPTestSite()
    let variables = #""variables": {"code": "424242", "valid_for": "10m"}, "language": "en""#
    let added = try http.call(
      "POST", "/v1/mails", #"{"to": "you@example.org", "message": "verification", \#(variables)}"#,
      "Prefer: wait=20")
    #expect(added.status == 202 && added["status"] == "sent", "\(added.body)")
    #expect(try http.site.onlyMail().contains("To: you@example.org"))
    #expect(added.fields["location"] == "/v1/mails/\(try #require(added["id"]))")
    let shown = try http.call("POST", "/v1/messages/verification/render", "{\(variables)}")
    #expect(shown.status == 200 && shown["subject"]?.contains("424242") == true)
    #expect(shown["language"] == "en" && shown["html"]?.hasPrefix("<!doctype html>") == true)
    #expect(try http.call("POST", "/v1/messages/verification/render").status == 200)
    #expect(try http.call("POST", "/v1/messages/nothing/render").status == 404)
    let unknown = try http.call("POST", "/v1/mails", #"{"to": "you@example.org", "message": "nothing"}"#)
    #expect(unknown.status == 400)
    let missing = try http.call("POST", "/v1/mails", #"{"to": [], "message": "verification"}"#)
    #expect(missing.status == 400)
    #expect(http.site.mails.count == 1)
  }

  @Test func `a code is accepted with white space, and a missing field is named`() throws {
    let http = try HTTPTestSite()
    let id = try #require(try http.start()["id"])
    let code = try http.site.newestCode()
    #expect(try http.check(id, #" \#(code.prefix(3))\t\#(code.suffix(3))\n"#)["outcome"] == "approved")
    let missing = try http.call("POST", "/v1/verifications", "{}")
    let errors = try #require(missing.json["errors"] as? [[String: String]])
    #expect(missing.status == 400 && errors.map { $0["field"] } == ["to"])
  }

  @Test func `the response to a notice doesn't differ from that to any other start`() throws {
    let http = try HTTPTestSite()
    let responses = try [
      #"{"to": "a@example.org"}"#, #"{"to": "b@example.org", "notice": true}"#,
    ].map { try http.call("POST", "/v1/verifications", $0, "Prefer: wait=20") }
    #expect(responses.map(\.status) == [202, 202])
    func shape(_ response: HTTPTestSite.Response) -> [String] {
      response.json.map { "\($0.key): \(type(of: $0.value))" }.sorted() + response.fields.keys.sorted()
        + [response.fields["content-length"] ?? "", response.fields["ratelimit"] ?? ""]
    }
    #expect(shape(responses[0]) == shape(responses[1]))
    #expect(responses.map { $0.json["attempts_remaining"] as? Int } == [5, 5])
    let id = try #require(responses[1]["id"])
    #expect(try http.check(id, "123456")["outcome"] == "mismatch")
    let mails = try http.site.mails.map { name in
      let data = try Data(contentsOf: URL(filePath: "\(http.site.directory.path)/mail/\(name)"))
      return try http.site.read(Array(data))
    }
    #expect(mails.count == 2)
    let notice = try #require(mails.first { $0["to"] as? String == "b@example.org" })
    #expect(notice["subject"] as? String == "[Pabal] 이미 가입된 이메일 주소입니다")
    let text = try #require(notice["text"] as? String)
    #expect(text.contains("로그인") && text.firstMatch(of: /[0-9]{6}/) == nil)
  }

  @Test func `the service reports its health and ends with status 0 on SIGTERM`() throws {
    let http = try HTTPTestSite()
    #expect(try http.call("GET", "/healthz").status == 200)
    let ready = try http.call("GET", "/readyz")
    #expect(ready.status == 200 && ready["status"] == "ready")
    #expect(try http.call("HEAD", "/healthz").body == "")
    let end = try http.stop()
    #expect(end.status == 0 && end.log.contains(" stopped"))
  }

  @Test
  func `the service is degraded while every transport is held, because mail is stored and codes are checked`()
    throws
  {
    let http = try HTTPTestSite(
      TestSite.scripted("held:transport", with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }"#)
    ) { try $0.addFaultyPlugin() }
    _ = try http.start()
    let ready = try http.call("GET", "/readyz")
    #expect(ready.status == 200 && ready["status"] == "degraded")
  }
}
