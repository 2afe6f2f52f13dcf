import Foundation
import PabalTesting
import Testing

/// The demo page names each limit and the time until the next try.
@Suite struct DemoLimitTests {
  private func expect(
    _ response: DemoTestSite.Response, _ limit: String, wait: ClosedRange<Int>?, status: Int = 429
  ) throws {
    let text = try DemoTestSite.words("ko", "limit.\(limit)")
    #expect(response.status == status)
    #expect(response.error?.hasPrefix(text) == true, "\(response.error ?? "nothing")")
    guard let wait else { return #expect(response.error == text && response.headers["retry-after"] == nil) }
    #expect(try wait.contains(#require(response.headers["retry-after"].flatMap { Int($0) })))
    let error = try #require(response.error)
    #expect(error.hasSuffix(" 후에 다시 시도해 주세요."))
    // The time is rounded up to its smallest unit.
    let times = error.matches(of: /([0-9]+)(초|분|시간)/).map { time in
      let unit = ["초": 1, "분": 60, "시간": 3_600][String(time.2)] ?? 0
      return (seconds: (Int(time.1) ?? 0) * unit, unit: unit)
    }
    let seconds = times.reduce(0) { $0 + $1.seconds }
    let smallest = times.last?.unit ?? 0
    #expect((wait.lowerBound...(wait.upperBound + smallest)).contains(seconds), "\(error)")
  }

  @Test func `the cooldown limits a new start and a resend`() throws {
    let demo = try DemoTestSite()
    let id = try demo.start()
    let again = try demo.post("start", ["address": "kim@example.com"])
    try expect(again, "cooldown", wait: 30...60)
    #expect(again.asksAddress && again.text.contains(#"value="kim@example.com""#))
    let resend = try demo.post("resend", ["verification": id])
    try expect(resend, "cooldown", wait: 30...60)
    // The code that was sent is still valid.
    #expect(resend.asksCode)
    #expect(
      try demo.post("check", ["verification": id, "code": try demo.site.newestCode()]).end == "approved")
  }

  @Test func `a recipient gets a limited number of mails`() throws {
    let demo = try DemoTestSite(verification: #""cooldown": "0s", "recipient": ["1/1h"]"#)
    _ = try demo.start()
    try expect(try demo.post("start", ["address": "kim@example.com"]), "recipient", wait: 3_500...3_600)
  }

  @Test func `a verification sends a limited number of mails, however long one waits`() throws {
    let demo = try DemoTestSite(verification: #""cooldown": "0s", "sends": 1"#)
    let page = try demo.post("start", ["address": "kim@example.com"])
    #expect(
      try !page.html.contains(#"id="resend""#) && page.text.contains(DemoTestSite.words("ko", "no_resend")))
    try expect(try demo.post("resend", ["verification": try page.id]), "verification", wait: nil)
  }

  @Test func `a client starts a limited number of verifications, counted by its address`() throws {
    let demo = try DemoTestSite(verification: #""clientStarts": ["1/10m"]"#)
    _ = try demo.start()
    try expect(try demo.post("start", ["address": "lee@example.com"]), "client", wait: 500...600)
  }

  @Test func `a client checks a limited number of codes`() throws {
    let demo = try DemoTestSite(verification: #""clientChecks": ["1/5m"]"#)
    let id = try demo.start()
    let code = try demo.site.newestCode()
    #expect(try demo.post("check", ["verification": id, "code": TestSite.wrong(code)]).status == 422)
    let response = try demo.post("check", ["verification": id, "code": code])
    try expect(response, "client", wait: 200...300)
    #expect(response.asksCode)
  }

  @Test func `the service sends a limited number of mails`() throws {
    let demo = try DemoTestSite(verification: #""quota": 1"#)
    _ = try demo.start()
    try expect(
      try demo.post("start", ["address": "lee@example.com"]), "overall", wait: 86_000...86_400, status: 503)
  }

  @Test func `an address is blocked after too many wrong codes`() throws {
    let demo = try DemoTestSite(verification: #""cooldown": "0s", "failures": 5, "block": "2h""#)
    let id = try demo.start()
    let wrong = TestSite.wrong(try demo.site.newestCode())
    for _ in 0..<5 { _ = try demo.post("check", ["verification": id, "code": wrong]) }
    try expect(try demo.post("start", ["address": "kim@example.com"]), "failures", wait: 500...600)
  }

  @Test func `behind a trusted proxy the limits count the proxy's client`() throws {
    let serve = #""serve": { "listen": "127.0.0.1:0", "keyless": true, "proxies": ["127.0.0.1"] }"#
    let demo = try DemoTestSite(
      try TestSite(TestSite.shipped(with: serve + #", "verification": { "clientStarts": ["1/10m"] }"#)))
    func start(_ address: String, from client: String) throws -> Int {
      try demo.ask("/demo/start", ["address": address], options: ["-H", "X-Forwarded-For: \(client)"]).status
    }
    #expect(try start("kim@example.com", from: "192.0.2.1") == 200)
    #expect(try start("lee@example.com", from: "192.0.2.1") == 429)
    #expect(try start("lee@example.com", from: "192.0.2.2") == 200)
  }

  @Test func `a failing store is reported as a temporary problem`() throws {
    let demo = try DemoTestSite()
    let id = try demo.start()
    try demo.site.loseTables()
    for (action, fields) in [
      ("start", ["address": "lee@example.com"]), ("check", ["verification": id, "code": "1"]),
    ] {
      let response = try demo.post(action, fields)
      #expect(response.status == 503)
      #expect(try response.error == (DemoTestSite.words("ko", "unavailable")))
    }
  }
}
