import Foundation
import PabalTesting
import Testing

/// Every line of the log is as the documentation says, without secrets and personal data.
@Suite struct LogTests {
  /// The log of a run, and the texts that must not be in it.
  private struct LoggedRun {
    let log: String
    let secrets: [String]
  }

  private func run(_ arguments: String...) throws -> LoggedRun {
    let site = try TestSite(
      TestSite.scripted("rejected", with: ServingSite.serve).replacing(
        #""transport": "first""#, with: #""transport": "file""#))
    try site.addFaultyPlugin()
    let made = try site.pabal("keys", "client", "shop", "--json").json
    let (key, digest) = (try #require(made["key"] as? String), try #require(made["configured"] as? String))
    try site.edit("CLIENTS", "\"shop\": \"\(digest)\"")
    let log = "\(site.directory.path)/log"
    // The log goes to a file, because a full pipe would make the service drop lines.
    let server = try InteractiveProcess(
      "/bin/sh", ["-c", #"exec "$0" serve "$@" >log 2>&1"#, "\(BuiltProducts.directory)/pabal"] + arguments,
      environment: ["PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "PABAL_PLUGIN_PATH": nil],
      directory: site.directory.path)
    func waitForLog(_ pattern: some RegexComponent) throws {
      try eventually { ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").contains(pattern) }
    }
    try waitForLog(/port\W+[1-9]/)
    let transcript = try String(contentsOfFile: log, encoding: .utf8)
    let port = try #require(transcript.firstMatch(of: /port\W+(\d+)/)).1
    func ask(_ path: String, _ body: String, key: String) throws -> [String: Any] {
      try ChildProcess.run(
        "curl",
        [
          "-s", "-H", "Authorization: Bearer \(key)", "-H", "Content-Type: application/json", "-d", body,
          "http://127.0.0.1:\(port)\(path)",
        ]
      ).json
    }
    let starts = "/v1/verifications"
    let id = try #require(try ask(starts, #"{"to": "kim@example.org"}"#, key: key)["id"] as? String)
    try waitForLog(/\bsent\b/)
    let code = try site.newestCode()
    #expect(try ask(starts, #"{"to": "kim@example.org"}"#, key: key)["limit"] as? String == "cooldown")
    let wrong = try ask("\(starts)/\(id)/check", "{\"code\": \"\(TestSite.wrong(code))\"}", key: key)
    #expect(wrong["outcome"] as? String == "mismatch")
    let right = try ask("\(starts)/\(id)/check", "{\"code\": \"\(code)\"}", key: key)
    let proof = try #require(right["proof"] as? String)
    #expect(try ask(starts, #"{"to": "no address of lee@example.org"}"#, key: key)["status"] as? Int == 400)
    #expect(try ask(starts, "{}", key: "pabal_WRONGKEY")["status"] as? Int == 401)
    try site.edit(#""transport": "file""#, #""transport": "first""#)
    try waitForLog(/reloaded/)
    _ = try ask(starts, #"{"to": "lee@example.org"}"#, key: key)
    try waitForLog(/settled.*rejected|rejected.*settled/)
    try site.edit(#""act": "rejected""#, #""act": "held:transport""#)
    try waitForLog(/reloaded[\s\S]*reloaded/)
    _ = try ask(starts, #"{"to": "park@example.org"}"#, key: key)
    try waitForLog(/held transport=first|"held","time":.*"transport":"first"|"event":"held"/)
    // Common mistakes: the key itself instead of its digest, a password in the wrong place, an invalid address.
    try site.edit(digest, key)
    try waitForLog(/reload failed/)
    try site.edit(#""act": "held:transport""#, #""act": { "password": "hunter2" }"#)
    try site.edit("pabal@example.com>", "pabal@@example.com>")
    try waitForLog(/mailbox|address|expected/)
    server.signal(SIGTERM)
    #expect(try server.finish().status == 0)
    return LoggedRun(
      log: try String(contentsOfFile: log, encoding: .utf8),
      secrets: [
        "kim@", "lee@", "park@", "pabal@", "example.org", "example.com", code, TestSite.wrong(code), key,
        "WRONGKEY", proof, id, "인증", "hunter2", String(digest.dropFirst(7)),
      ])
  }

  /// The table of the documentation: the fields of each event and whether each is required.
  private func schema() throws -> [String: [String: Bool]] {
    let page = try String(
      contentsOfFile: "\(BuiltProducts.root)/Sources/PabalCore/PabalCore.docc/The-log.md", encoding: .utf8)
    var schema: [String: [String: Bool]] = [:]
    for row in page.matches(of: /(?m)^\| `([a-z ]+)` \|([^|]*)\|/) {
      let fields = row.2.matches(of: /`([a-z]+)`(\??)/).map { (String($0.1), $0.2.isEmpty) }
      schema[String(row.1)] = Dictionary(fields) { first, _ in first }
    }
    return schema
  }

  @Test func `with --json every line has a documented event with its fields, and no secret`() throws {
    let result = try run("--json")
    let known = try schema()
    #expect(known.count > 25)
    var seen: Set<String> = []
    for line in result.log.split(separator: "\n") {
      let read = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: String]
      var object = try #require(read, "\(line)")
      let (event, time) = (try #require(object["event"]), try #require(object["time"]))
      object["event"] = nil
      object["time"] = nil
      #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/) != nil)
      let fields = try #require(known[event], "the page has no \(event)")
      #expect(Set(object.keys).isSubset(of: fields.keys), "\(line)")
      #expect(Set(fields.filter(\.value).keys).isSubset(of: object.keys), "\(line)")
      seen.insert(event)
    }
    let wanted: Set = [
      "serving", "listening", "request", "started", "checked", "limited", "attempt", "settled", "held",
      "reloaded", "reload failed", "message", "stopping", "stopped",
    ]
    #expect(wanted.subtracting(seen) == [])
    for secret in result.secrets { #expect(!result.log.contains(secret), "\(secret)") }
  }

  @Test func `as text the log has the same events, one per line, and no secret`() throws {
    let result = try run()
    let known = try schema()
    let names = known.keys.sorted { $0.count > $1.count }
    for line in result.log.split(separator: "\n") {
      let words = try #require(line.firstMatch(of: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (.*)$/), "\(line)").1
      let event = try #require(names.first { words == $0 || words.hasPrefix("\($0) ") }, "\(line)")
      let rest = words.dropFirst(event.count)
      let fields = rest.matches(of: /\ ([a-z]+)=("(?:[^"\\]|\\.)*"|[^ "]+)/)
      #expect(fields.map { String($0.0) }.joined() == rest, "\(line)")
      #expect(Set(fields.map { String($0.1) }).isSubset(of: (known[event] ?? [:]).keys), "\(line)")
    }
    for secret in result.secrets { #expect(!result.log.contains(secret), "\(secret)") }
  }
}
