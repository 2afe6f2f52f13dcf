import Foundation
import PabalTesting
import Testing

/// The demo page: who may use it, what it shows, and its texts.
@Suite struct DemoPageTests {
  @Test func `pabal serve without --demo has no demo page`() throws {
    let demo = try DemoTestSite()
    let paths = ["/", "/demo/verify.css", "/demo/verify.js", "/demo/start"]
    for path in paths.dropLast() { #expect(try demo.ask(path).status == 200, "\(path)") }
    try demo.stop()
    let server = try InteractiveProcess(
      "\(BuiltProducts.directory)/pabal", ["serve"], directory: demo.site.directory.path)
    let transcript = try server.transcript(until: "listening")
    let port = try #require(transcript.firstMatch(of: /port=([0-9]+)/)?.1)
    for path in paths {
      let run = try ChildProcess.run(
        "curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:\(port)\(path)"])
      #expect(run.output == "404", "\(path)")
    }
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
  }

  @Test func `--demo without an address to listen on is refused`() throws {
    let run = try TestSite().pabal("serve", "--demo")
    #expect(run.status == 78)
    #expect(run.errors.contains("--demo: no address to listen on"))
    #expect(run.errors.contains(#""listen": "127.0.0.1:8025""#))
  }

  @Test func `the page works on a service that requires keys`() throws {
    let clients = #"{ "shop": "sha256:\#(String(repeating: "0f", count: 32))" }"#
    let demo = try DemoTestSite(
      try TestSite(TestSite.shipped(with: #""serve": { "listen": "127.0.0.1:0", "clients": \#(clients) }"#)))
    let id = try demo.start()
    #expect(
      try demo.post("check", ["verification": id, "code": try demo.site.newestCode()]).end == "approved")
    #expect(try demo.ask("/v1/verifications/\(id)").status == 401)
  }

  @Test func `the page shows only verifications that it started, and their mail`() throws {
    let demo = try DemoTestSite()
    let id = try demo.site.startedID()
    let code = try demo.site.newestCode()
    for id in [id, "A234567890123456789012345Z", "../../config", ""] {
      for action in ["check", "resend", "cancel"] {
        let response = try demo.post(action, ["verification": id, "code": code])
        #expect(
          try response.status == 404 && response.error == (DemoTestSite.words("ko", "unknown")), "\(action)")
        #expect(!response.html.contains(code))
      }
    }
    #expect(try demo.ask("/demo/mail/\(id)").status == 404)
    // Verifications of the page have a purpose of their own, so their proofs aren't valid elsewhere.
    let own = try demo.start("lee@example.com")
    #expect(
      try demo.site.pabal("verify", "status", own, "--json").json["purpose"] as? String == "demo")
    #expect(try demo.site.check(id, code).outcome == "approved")
  }

  @Test(arguments: [
    (["Sec-Fetch-Site: cross-site"], 403), (["Sec-Fetch-Site: same-site"], 403),
    (["Origin: https://evil.example"], 403), (["Origin: null"], 403),
    (["Sec-Fetch-Site: cross-site", "Origin: http://HOST"], 403),
    (["Sec-Fetch-Site: same-origin", "Origin: http://HOST"], 200), (["Origin: http://HOST"], 200), ([], 200),
    (["Host: evil.example"], 421), (["Host: evil.example", "Sec-Fetch-Site: same-origin"], 421),
  ])
  func `a form that another site's page sent is refused`(headers: [String], status: Int) throws {
    let demo = try DemoTestSite()
    let options = headers.flatMap { ["-H", $0.replacing("HOST", with: demo.host)] }
    let response = try demo.ask("/demo/start", ["address": "kim@example.com"], options: options)
    #expect(response.status == status)
    #expect(demo.site.mails.count == (status == 200 ? 1 : 0))
  }

  @Test func `a body that isn't a form is refused, and a reload after a form leads to the start`() throws {
    let demo = try DemoTestSite()
    let json = ["-H", "Content-Type: application/json", "--data", "{}"]
    #expect(try demo.ask("/demo/start", options: json).status == 415)
    for body in ["address=a&address=b", "address=%zz", "address[x]=1"] {
      #expect(try demo.ask("/demo/start", options: ["--data-raw", body]).status == 400, "\(body)")
    }
    let big = "address=\(String(repeating: "a", count: 70_000))"
    #expect(try demo.ask("/demo/start", options: ["--data-raw", big]).status == 413)
    for action in ["start", "check", "resend", "cancel", "show"] {
      let response = try demo.ask("/demo/\(action)")
      #expect(response.status == 303 && response.headers["location"] == "/")
    }
    #expect(try demo.ask("/", options: ["-X", "POST"]).status == 405)
  }

  @Test func `responses restrict what a browser may do with them`() throws {
    let demo = try DemoTestSite()
    let page = try demo.post("start", ["address": "kim@example.com"])
    for response in [try demo.ask("/"), page] {
      #expect(response.headers["x-content-type-options"] == "nosniff")
      #expect(response.headers["referrer-policy"] == "same-origin")
      #expect(response.headers["cache-control"] == "no-store")
      #expect(response.headers["set-cookie"] == nil)
      let policy = try #require(response.headers["content-security-policy"])
      #expect(policy.hasPrefix("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"))
      #expect(!policy.contains("unsafe"))
      // The page loads nothing from other sites and has nothing inline that the policy would block.
      let page = response.html.components(separatedBy: "<details>")[0]
      #expect(!page.contains(/(src|href|action)="(?!\/|data:,)/))
      #expect(!page.contains(/<(style|script)>| style=| on[a-z]+=/))
    }
    let mail = try demo.ask("/demo/mail/\(try page.id)")
    let policy = try #require(mail.headers["content-security-policy"])
    #expect(policy.hasPrefix("sandbox allow-same-origin; default-src 'none'; "))
    #expect(!policy.contains("script"))
  }

  @Test func `input is escaped wherever the page shows it`() throws {
    let demo = try DemoTestSite()
    let typed = #""'><script>alert(1)</script>&amp;{{words.start}}"#
    let asked = try demo.post("start", ["address": typed])
    let started = try demo.post("start", ["address": "kim@example.com"])
    let checked = try demo.post("check", ["verification": try started.id, "code": typed, "address": typed])
    let shown = try demo.post("show", ["verification": typed, "address": typed, "language": typed])
    for response in [asked, checked, shown] {
      #expect(!response.html.contains("<script>"))
      #expect(
        response.html.contains(
          "&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;{{words.start}}"))
    }
  }

  @Test func `the page is in the best language that a reader accepts and the page has`() throws {
    let demo = try DemoTestSite()
    let asked = [
      ("", "ko"), ("fr", "ko"), ("*", "ko"), ("en", "en"), ("en-GB", "en"), ("EN-us;q=0.5, ko;q=0.4", "en"),
      ("ko;q=0.4,en;q=0.5", "en"), ("fr, en;q=0.1", "en"), ("en;q=0, ko", "ko"), ("eng", "ko"),
      ("ko-Hang-KR, en", "ko"), (";;q=,,en", "en"), ("en;q=x, ko;q=0.1", "ko"),
    ]
    for (accepted, language) in asked {
      let response = try demo.ask("/", options: ["-H", "Accept-Language: \(accepted)"])
      #expect(response.headers["content-language"] == language, "\(accepted)")
      #expect(response.html.contains("<html lang=\"\(language)\">"))
      #expect(response.headers["vary"] == "Accept-Language")
      // The switch offers the other language.
      let other = language == "ko" ? "en" : "ko"
      #expect(response.html.contains("<button name=\"language\" value=\"\(other)\" lang=\"\(other)\">"))
    }
  }

  @Test func `a form that is sent twice, as by a reload, starts one verification`() throws {
    let demo = try DemoTestSite()
    func once(_ response: DemoTestSite.Response) throws -> String {
      String(try #require(response.html.firstMatch(of: /name="once" value="([0-9]{40})"/)?.1))
    }
    let first = try demo.ask("/")
    let form = ["address": "kim@example.com", "once": try once(first)]
    let started = try demo.post("start", form)
    let again = try demo.post("start", form)
    #expect(again.status == 200)
    #expect(try again.id == started.id)
    #expect(demo.site.mails.count == 1)
    // The same form, sent again with another address.
    let other = try demo.post("start", form.merging(["address": "lee@example.com"]) { $1 })
    #expect(try other.status == 200 && other.id != started.id)
    // A new form starts another verification; a number that is too short is ignored.
    #expect(try once(demo.ask("/")) != once(first))
    #expect(try demo.post("start", ["address": "park@example.com", "once": "1"]).status == 200)
    #expect(try demo.post("start", ["address": "park@example.com", "once": "1"]).status == 429)
    _ = try demo.post("cancel", ["verification": try started.id])
    #expect(try demo.post("start", form).end == "cancelled")
  }

  @Test func `switching the language keeps the verification`() throws {
    let demo = try DemoTestSite()
    let id = try demo.start()
    let response = try demo.post("show", ["verification": id, "address": "kim@example.com"], language: "en")
    #expect(response.asksCode && response.headers["content-language"] == "en")
    #expect(try response.id == id)
    #expect(response.text.contains("<strong>kim@example.com</strong>"))
  }

  @Test func `both languages have the same texts with the same placeholders`() throws {
    let (korean, english) = (try DemoTestSite.words("ko"), try DemoTestSite.words("en"))
    #expect(Set(korean.keys) == Set(english.keys))
    for (name, text) in korean {
      func places(_ text: String) -> Set<String> {
        Set(text.matches(of: /\{\{[a-z]+\}\}/).map { String($0.0) })
      }
      #expect(places(text) == places(english[name] ?? ""), "\(name)")
      #expect(text.wholeMatch(of: /[\p{Hangul}A-Za-z0-9 .,:@{}_]+/) != nil, "\(name): \(text)")
    }
    let page = try String(
      contentsOfFile: "\(BuiltProducts.root)/Sources/PabalHTTP/Demo/Page/verify.html", encoding: .utf8)
    for name in page.matches(of: /\{\{[#^]?words\.([^}]+)\}\}/) {
      #expect(korean[String(name.1)] != nil, "\(name.1)")
    }
  }
}
