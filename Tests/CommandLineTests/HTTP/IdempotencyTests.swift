import Foundation
import PabalTesting
import Testing

/// `Idempotency-Key`: a repeated request has no further effect.
@Suite struct IdempotencyTests {
  private let start = #"{"to": "you@example.org"}"#

  @Test
  func `a repeated start returns the same verification, and a different request with its key is refused`()
    throws
  {
    let http = try HTTPTestSite()
    let first = try http.call("POST", "/v1/verifications", start, "Idempotency-Key: one", "Prefer: wait=20")
    let again = try http.call("POST", "/v1/verifications", start, #"Idempotency-Key: "one""#)
    #expect(first.status == 202 && again.status == 202 && first["id"] == again["id"])
    #expect(again.fields["location"] == first.fields["location"])
    let other = try http.call(
      "POST", "/v1/verifications", #"{"to": "other@example.org"}"#, "Idempotency-Key: one")
    #expect(other.status == 422 && other["type"] == "/problems/idempotency-key-reused")
    for key in [String(repeating: "k", count: 256), "\u{e9}"] {
      #expect(try http.call("POST", "/v1/verifications", start, "Idempotency-Key: \(key)").status == 400)
    }
    #expect(http.site.mails.count == 1)
  }

  @Test func `one of twenty simultaneous requests with the same key is carried out`() throws {
    let http = try HTTPTestSite()
    let port = http.port
    let calls = (0..<20).map { _ in
      ThreadTask<(Int, String?)> {
        let arguments = [
          "-sS", "-w", "\n%{http_code}", "-H", "Content-Type: application/json", "-H",
          "Idempotency-Key: same",
          "-H", "Prefer: wait=20", "-d", #"{"to": "you@example.org"}"#,
          "http://127.0.0.1:\(port)/v1/verifications",
        ]
        guard let run = try? ChildProcess.run("curl", arguments) else { return (0, nil) }
        let status = run.output.split(separator: "\n").last.flatMap { Int($0) }
        return (status ?? 0, run.output.firstMatch(of: /"id":"([0-9A-Z]+)"/).map { String($0.1) })
      }
    }
    let statuses = calls.map(\.value)
    #expect(statuses.allSatisfy { $0.0 == 202 || $0.0 == 409 })
    #expect(Set(statuses.compactMap(\.1)).count == 1)
    #expect(http.site.mails.count == 1)
  }

  @Test func `a repeated mail or resend isn't sent again`() throws {
    let http = try HTTPTestSite(more: #", "verification": { "cooldown": "0s" }"#)
    let mail =
      #"{"to": "you@example.org", "message": "verification", "variables": {"code": "424242", "valid_for": "10m"}}"#
    let first = try http.call("POST", "/v1/mails", mail, "Idempotency-Key: m", "Prefer: wait=20")
    let again = try http.call("POST", "/v1/mails", mail, "Idempotency-Key: m")
    #expect(first.status == 202 && again.status == 202 && first["id"] == again["id"])
    #expect(try http.call("POST", "/v1/mails", mail + " ", "Idempotency-Key: m").status == 422)
    let id = try #require(try http.start()["id"])
    for _ in 0..<3 {
      let resent = try http.call(
        "POST", "/v1/verifications/\(id)/resend", nil, "Idempotency-Key: m", "Prefer: wait=20")
      #expect(resent.status == 202 && resent.json["generation"] as? Int == 2)
    }
    #expect(http.site.mails.count == 3)
  }

  @Test func `a mail that is no longer kept isn't sent a second time`() throws {
    let http = try HTTPTestSite()
    let mail =
      #"{"to": "you@example.org", "message": "verification", "variables": {"code": "424242", "valid_for": "10m"}}"#
    let first = try http.call("POST", "/v1/mails", mail, "Idempotency-Key: m", "Prefer: wait=20")
    #expect(first.status == 202)
    // As the outbox does after `outbox.retention`, which may be shorter than the 24 hours of the key.
    let forget =
      "import sqlite3; c = sqlite3.connect('pabal.sqlite'); c.execute('delete from mail'); c.commit()"
    #expect(try ChildProcess.run("python3", ["-c", forget], directory: http.site.directory.path).status == 0)
    let again = try http.call("POST", "/v1/mails", mail, "Idempotency-Key: m")
    #expect(again.status == 404 && again["type"] == "/problems/no-such-mail")
    #expect(again["detail"]?.contains("no longer kept") == true)
    let document = try http.call("GET", "/openapi.json").json
    let paths = document["paths"] as? [String: [String: [String: Any]]]
    #expect((paths?["/v1/mails"]?["post"]?["responses"] as? [String: Any])?["404"] != nil)
    #expect(http.site.mails.count == 1)
  }

  @Test func `a refused start doesn't use up its key`() throws {
    let http = try HTTPTestSite(more: #", "verification": { "cooldown": "0s", "recipient": ["1/1h"] }"#)
    #expect(try http.call("POST", "/v1/verifications", #"{"to": "x"}"#, "Idempotency-Key: k").status == 400)
    #expect(try http.call("POST", "/v1/verifications", start, "Idempotency-Key: k").status == 202)
    #expect(try http.call("POST", "/v1/verifications", start, "Idempotency-Key: l").status == 429)
    #expect(try http.call("POST", "/v1/verifications", start, "Idempotency-Key: k").status == 202)
  }
}
