import Foundation
import PabalTesting
import Testing

/// `/metrics`, read by the parser of Prometheus, and the alerts and the dashboard on it.
@Suite struct MetricsTests {
  @Test func `the metrics count what happened`() throws {
    let served = try ServingSite(TestSite(TestSite.shipped(with: ServingSite.serve)))
    let started = try served.object("/v1/verifications", #"{"to": "kim@example.org"}"#)
    let id = try #require(started["id"] as? String)
    try served.server.transcript(until: "state=sent")
    let code = try served.site.newestCode()
    #expect(try served.start("kim@example.org") == 429)
    for code in [TestSite.wrong(code), code] {
      #expect(try served.ask("/v1/verifications/\(id)/check", "{\"code\": \"\(code)\"}").status == 200)
    }
    #expect(try served.ask("/nowhere").status == 404)
    let metrics = try Metrics(served.ask("/metrics").body)
    #expect(metrics["pabal_verifications_started_total", ["purpose": "sign-up", "language": "ko"]] == 1)
    #expect(metrics["pabal_verifications_approved_total", ["purpose": "sign-up", "language": "ko"]] == 1)
    #expect(metrics["pabal_verification_approval_seconds_count", ["purpose": "sign-up"]] == 1)
    #expect(metrics["pabal_verification_checks_total", ["outcome": "mismatch"]] == 1)
    #expect(metrics["pabal_verification_checks_total", ["outcome": "approved"]] == 1)
    #expect(metrics["pabal_verification_checks_total", ["outcome": "expired"]] == 0)
    #expect(metrics["pabal_verification_limits_total", ["limit": "cooldown"]] == 1)
    #expect(metrics["pabal_attempts_total", ["transport": "file", "outcome": "sent"]] == 1)
    #expect(metrics["pabal_attempt_duration_seconds_count", ["transport": "file"]] == 1)
    #expect(metrics["pabal_mails_ended_total", ["lane": "code", "state": "sent"]] == 1)
    #expect(metrics["pabal_mail_sent_seconds_count", ["lane": "code"]] == 1)
    #expect(metrics["pabal_outbox_waiting_mails", ["lane": "code"]] == 0)
    #expect(metrics["pabal_transport_held", ["transport": "file"]] == 0)
    #expect(metrics["pabal_transport_state", ["transport": "file", "state": "ready"]] == 1)
    let check = "/v1/verifications/{id}/check"
    #expect(
      metrics["pabal_http_requests_total", ["route": check, "method": "POST", "status": "200"]] == 2)
    #expect(
      metrics[
        "pabal_http_requests_total", ["route": "/v1/verifications", "method": "POST", "status": "429"]] == 1)
    #expect(metrics["pabal_http_requests_total", ["route": "-", "method": "GET", "status": "404"]] == 1)
    #expect(metrics["pabal_http_request_duration_seconds_count", ["route": check]] == 2)
    #expect(metrics["pabal_http_request_duration_seconds_bucket", ["route": check, "le": "+Inf"]] == 2)
    #expect(metrics["pabal_config_last_reload_successful"] == 1)
    #expect(metrics["pabal_storage_up"] == 1)
    let (now, memory) = (
      Date.now.timeIntervalSince1970, try #require(metrics["process_resident_memory_bytes"])
    )
    let began = try #require(metrics["process_start_time_seconds"])
    #expect(began > now - 120 && began <= now)
    #expect(memory > 1e6 && memory < 1e9)
    #expect(try #require(metrics["process_open_fds"]) > 5)
    #expect(metrics.types["pabal_attempts"] == "counter")
    #expect(metrics.types["pabal_outbox_waiting_mails"] == "gauge")
    #expect(metrics.types["pabal_mail_sent_seconds"] == "histogram")
    try served.stop()
  }

  @Test func `waiting mail, a held transport and a broken file are visible at once, but only with a key`()
    throws
  {
    let site = try TestSite(TestSite.scripted("held:transport", with: ServingSite.serve))
    try site.addFaultyPlugin()
    let served = try ServingSite(site)
    #expect(try served.ask("/metrics", key: "pabal_STRANGER").status == 401)
    for name in ["a", "b"] { #expect(try served.start("\(name)@example.org") == 202) }
    try served.server.transcript(until: "held transport=first")
    try site.edit(#""from""#, #""form""#)
    try served.server.transcript(until: "reload failed")
    while try Metrics(served.ask("/metrics").body)["pabal_outbox_waiting_mails", ["lane": "code"]] != 2 {
      usleep(20_000)
    }
    let metrics = try Metrics(served.ask("/metrics").body)
    #expect(metrics["pabal_transport_held", ["transport": "first"]] == 1)
    #expect(metrics["pabal_transport_state", ["transport": "first", "state": "held"]] == 1)
    #expect(metrics["pabal_transport_state", ["transport": "first", "state": "ready"]] == 0)
    let cause = ["transport": "first", "state": "held", "cause": "held:transport"]
    #expect(metrics["pabal_transport_cause_info", cause] == 1)
    #expect(metrics["pabal_readiness", ["status": "degraded"]] == 1)
    let age = try #require(metrics["pabal_outbox_oldest_waiting_seconds", ["lane": "code"]])
    #expect(age > 0 && age < 60)
    #expect(metrics["pabal_config_last_reload_successful"] == 0)
    try served.stop()
  }

  @Test func `verifications on the demo page are counted like those of the API`() throws {
    let demo = try DemoTestSite(verification: #""cooldown": "0s", "sends": 2"#)
    let id = try demo.start()
    for _ in 0..<2 { _ = try demo.post("resend", ["verification": id]) }
    try eventually { demo.site.mails.count == 2 }
    // A form without an address, or one that is sent again, isn't a start.
    #expect(try demo.post("start", ["address": ""]).status == 422)
    let form = ["address": "lee@example.org", "once": String(repeating: "7", count: 40)]
    for _ in 0..<2 { #expect(try demo.post("start", form).asksCode) }
    let metrics = try Metrics(demo.ask("/metrics").html)
    let labels = ["purpose": "demo", "language": "ko"]
    #expect(metrics["pabal_verifications_started_total", labels] == 2)
    #expect(metrics["pabal_verifications_resent_total", labels] == 1)
    #expect(metrics["pabal_verifications_approved_total", labels] == 0)
    #expect(metrics["pabal_verification_limits_total", ["limit": "verification"]] == 1)
  }

  @Test func `callers can't create an unlimited number of label values`() throws {
    let served = try ServingSite(TestSite(TestSite.shipped(with: ServingSite.serve)))
    for number in 0..<40 {
      let body = "{\"to\": \"k\(number)@example.org\", \"purpose\": \"p\(number)\"}"
      #expect(try served.ask("/v1/verifications", body).status == 202)
    }
    _ = try ChildProcess.run("curl", ["-s", "-X", "PROPFIND", "http://127.0.0.1:\(served.port)/healthz"])
    let metrics = try Metrics(served.ask("/metrics").body)
    let purposes = metrics.labels("pabal_verifications_started_total").compactMap { $0["purpose"] }
    #expect(Set(purposes).count == 33)
    #expect(metrics["pabal_verifications_started_total", ["purpose": "other", "language": "ko"]] == 8)
    #expect(
      Set(metrics.labels("pabal_http_requests_total").compactMap { $0["method"] }) == ["POST", "other"])
    try served.stop()
  }

  @Test func `every metric that an alert or the dashboard names exists`() throws {
    let served = try ServingSite(TestSite(TestSite.shipped(with: ServingSite.serve)))
    let text = try served.ask("/metrics").body
    try served.stop()
    let answer = try Metrics.read(text, "names")
    #expect(answer["missing"] as? [String] == [])
    #expect(try #require(answer["count"] as? Int) > 20)
  }

  @Test func `the alerts are valid and fire when they should`() throws {
    let tool = try Metrics.promtool()
    let folder = "\(BuiltProducts.root)/Monitoring"
    let check = try ChildProcess.run(tool, ["check", "rules", "pabal-alerts.yaml"], directory: folder)
    #expect(check.status == 0, "\(check.output)\(check.errors)")
    #expect(check.output.contains("6 rules found"))
    let run = try ChildProcess.run(tool, ["test", "rules", "pabal-alerts.test.yaml"], directory: folder)
    #expect(run.status == 0, "\(run.output)\(run.errors)")
  }

  @Test func `the expressions of the dashboard are valid`() throws {
    let folder = try TemporaryDirectory()
    let rules = try ChildProcess.run(
      Metrics.python(), ["\(BuiltProducts.root)/Tests/Servers/metrics.py", "rules"])
    try folder.write(rules.output, to: "rules.yaml")
    let check = try ChildProcess.run(
      Metrics.promtool(), ["check", "rules", "rules.yaml"], directory: folder.path)
    #expect(check.status == 0, "\(check.output)\(check.errors)")
    #expect(check.output.contains(/SUCCESS: [2-9][0-9] rules found/), "\(check.output)")
  }
}

/// Metrics read by prometheus-client.
private struct Metrics {
  let types: [String: String]
  private let values: [(name: String, labels: [String: String], value: Double)]

  init(_ text: String) throws {
    let read = try Metrics.read(text)
    types = try #require(read["types"] as? [String: String])
    let rows = try #require(read["values"] as? [[Any]])
    values = rows.compactMap { row in
      guard let name = row[0] as? String, let labels = row[1] as? [String: String],
        let value = row[2] as? Double
      else { return nil }
      return (name, labels, value)
    }
    #expect(values.count == rows.count)
  }

  subscript(_ name: String, _ labels: [String: String] = [:]) -> Double? {
    values.first { $0.name == name && $0.labels == labels }?.value
  }

  func labels(_ name: String) -> [[String: String]] {
    values.filter { $0.name == name }.map(\.labels)
  }

  static func read(_ text: String, _ more: String...) throws -> [String: Any] {
    let run = try ChildProcess.run(
      python(), ["\(BuiltProducts.root)/Tests/Servers/metrics.py"] + more, input: Array(text.utf8))
    #expect(run.status == 0, "\(run.errors)")
    return try run.json
  }

  static func python() throws -> String { try path("python-environment") }

  static func promtool() throws -> String { try path("promtool") }

  private static func path(_ script: String) throws -> String {
    let run = try ChildProcess.run("\(BuiltProducts.root)/Tests/\(script)", [])
    #expect(run.status == 0, "\(run.errors)")
    return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
