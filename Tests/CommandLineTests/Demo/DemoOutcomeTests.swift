import Foundation
import PabalTesting
import Testing

/// What the demo page shows for each outcome of a verification, without scripts.
@Suite struct DemoOutcomeTests {
  @Test(arguments: ["ko", "en"])
  func `an address is verified without scripts`(language: String) throws {
    let demo = try DemoTestSite()
    let first = try demo.ask("/?language=\(language)")
    #expect(first.status == 200 && first.asksAddress && first.headers["content-language"] == language)
    let codePage = try demo.post("start", ["address": " kim@example.com "], language: language)
    #expect(codePage.asksCode)
    #expect(codePage.text.contains("<strong>kim@example.com</strong>"))
    #expect(try codePage.text.contains(DemoTestSite.words(language, "delivery.sent")))
    let code = try demo.site.newestCode()
    // The mail is shown beside the page, in the language of the page.
    #expect(
      codePage.text.contains(
        language == "ko" ? "[Pabal] 인증번호 \(code)" : "[Pabal] Your verification code: \(code)"))
    #expect(codePage.text.contains("\n    \(code)\n"))
    let frame = try #require(codePage.text.firstMatch(of: /<iframe [^>]*src="([^"]*)"/)?.1)
    let mail = try demo.ask(String(frame))
    #expect(mail.headers["content-type"] == "text/html; charset=utf-8")
    #expect(mail.html.contains(">\(code)</p>"))
    // Full-width digits, as a Korean keyboard enters them.
    let wide = String(
      String.UnicodeScalarView(code.unicodeScalars.compactMap { Unicode.Scalar($0.value + 0xFEE0) }))
    let typed = "\(wide.prefix(3)) \(wide.dropFirst(3))"
    let done = try demo.post(
      "check", ["verification": try codePage.id, "code": typed, "address": "kim@example.com"],
      language: language
    )
    #expect(done.status == 200 && done.end == "approved")
    #expect(
      done.text.contains(
        try DemoTestSite.words(language, "approved").replacing("{{address}}", with: "kim@example.com")))
    // The page's server redeemed the proof, as an app's server would.
    #expect(
      try demo.site.pabal("verify", "status", try codePage.id, "--json").json["status"] as? String
        == "consumed")
  }

  @Test(arguments: ["ko", "en"])
  func `each wrong code shows the attempts left, and the last one ends the verification`(language: String)
    throws
  {
    let demo = try DemoTestSite()
    let id = try demo.start()
    let wrong = TestSite.wrong(try demo.site.newestCode())
    for left in [4, 3, 2, 1] {
      let response = try demo.post("check", ["verification": id, "code": wrong], language: language)
      #expect(response.status == 422)
      #expect(
        try response.error == (DemoTestSite.words(language, "mismatch.\(left == 1 ? "one" : "other")", left)))
      #expect(response.html.contains(#"aria-describedby="code-error "#))
      #expect(try response.text.contains("<title>\(DemoTestSite.words(language, "title_error")): "))
    }
    let last = try demo.post("check", ["verification": id, "code": wrong], language: language)
    #expect(last.end == "exhausted" && !last.asksCode)
    #expect(try last.text.contains(DemoTestSite.words(language, "exhausted")))
  }

  @Test func `input that can't be a code doesn't cost an attempt`() throws {
    let demo = try DemoTestSite()
    let id = try demo.start()
    #expect(
      try demo.post("check", ["verification": id, "code": " "]).error == DemoTestSite.words("ko", "no_code"))
    for typed in ["12345", "1234567", "12a456", "<b>"] {
      let response = try demo.post("check", ["verification": id, "code": typed])
      #expect(try response.error == (DemoTestSite.words("ko", "bad_code", 6)), "\(typed)")
      // The input stays in the field to be corrected.
      #expect(response.text.contains("value=\"\(typed)\""))
    }
    let response = try demo.post(
      "check", ["verification": id, "code": TestSite.wrong(try demo.site.newestCode())])
    #expect(try response.error == (DemoTestSite.words("ko", "mismatch.other", 4)))
  }

  @Test func `an earlier code is distinguished from a wrong one`() throws {
    let demo = try DemoTestSite(verification: #""cooldown": "0s""#)
    let id = try demo.start()
    let first = try demo.site.newestCode()
    let resent = try demo.post("resend", ["verification": id])
    #expect(try resent.status == 200 && resent.text.contains(DemoTestSite.words("ko", "resent")))
    #expect(demo.site.mails.count == 2)
    let response = try demo.post("check", ["verification": id, "code": first])
    #expect(try response.error == (DemoTestSite.words("ko", "earlier.other", 4)))
    // The page shows the latest mail.
    let shown = try #require(response.text.firstMatch(of: /\[Pabal\] 인증번호 ([0-9]{6})/)?.1)
    #expect(try demo.post("check", ["verification": id, "code": String(shown)]).end == "approved")
  }

  @Test func `every form shows how a verification has ended elsewhere`() throws {
    let demo = try DemoTestSite(verification: #""cooldown": "0s""#)
    let approved = try demo.start()
    let code = try demo.site.newestCode()
    #expect(try demo.post("check", ["verification": approved, "code": code]).end == "approved")
    let cancelled = try demo.start("lee@example.com")
    let withdrawn = try demo.post("cancel", ["verification": cancelled, "address": "lee@example.com"])
    #expect(try withdrawn.asksAddress && withdrawn.text.contains(DemoTestSite.words("ko", "withdrawn")))
    #expect(withdrawn.text.contains(#"value="lee@example.com""#))
    let superseded = try demo.start("park@example.com")
    _ = try demo.start("park@example.com")
    for (id, end) in [(approved, "already_approved"), (cancelled, "cancelled"), (superseded, "superseded")] {
      for action in ["check", "resend", "show"] {
        let response = try demo.post(action, ["verification": id, "code": code])
        #expect(response.end == end, "\(action)")
        #expect(try response.text.contains(DemoTestSite.words("ko", end)))
      }
    }
  }

  @Test func `a code that has expired is reported`() throws {
    let demo = try DemoTestSite()
    let id = try demo.start()
    let code = try demo.site.newestCode()
    try demo.stop()
    let later = try DemoTestSite(demo.site, environment: TestSite.later(601))
    let response = try later.post("check", ["verification": id, "code": code], language: "en")
    #expect(response.end == "expired")
    #expect(try response.text.contains(DemoTestSite.words("en", "expired")))
  }

  @Test(arguments: [
    ("rejected", "delivery.rejected"), ("deferred", "delivery.deferred"), ("held:transport", "delivery.held"),
    ("held:mail", "delivery.held"), ("unknown", "delivery.unknown"),
  ])
  func `a mail that can't be sent is reported at once`(act: String, text: String) throws {
    let site = try TestSite(TestSite.scripted(act, with: DemoTestSite.serve))
    try site.addFaultyPlugin()
    let demo = try DemoTestSite(site)
    let response = try demo.post("start", ["address": "kim@example.com"])
    #expect(try response.text.contains(DemoTestSite.words("ko", text)))
    if act == "rejected" {
      // It doesn't count for the limits, so that the address can be corrected.
      #expect(response.status == 422 && response.asksAddress)
      #expect(try demo.post("start", ["address": "kim@example.com"]).error == DemoTestSite.words("ko", text))
    } else {
      #expect(response.status == 200 && response.asksCode && response.html.contains("data-again"))
    }
    #expect(!response.html.contains("<aside"))
  }
}
