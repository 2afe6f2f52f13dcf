import Foundation
import PabalTesting
import Testing

/// A folder with a configuration and the shipped messages, as an operator has it.
struct TestSite {
  let directory: TemporaryDirectory

  init(_ configuration: String = TestSite.shipped) throws {
    directory = try TemporaryDirectory()
    try directory.write(configuration, to: "config.json")
    try directory.copy("\(BuiltProducts.root)/Sources/Messages", to: "messages")
  }

  static let shipped = configuration(transport: #""file""#)

  static func configuration(transport: String, more: String = "", variables: String = #""service": "Pabal""#)
    -> String
  {
    """
    {
      "transport": \(transport),
      "transports": {
        "console": { "plugin": "console" },\(more)
        "file": { "plugin": "file", "directory": "mail" }
      },
      "from": "파발 <pabal@example.com>",
      "messages": { "directory": "messages", "language": "ko", "variables": { \(variables) } }
    }
    """
  }

  /// A configuration whose transports `first` and `second` do as they are told by the faulty plugin.
  static func scripted(_ first: String, _ second: String = "sent", transport: String = #""first""#) -> String
  {
    let plugin = "faulty/libpabal-faulty.so"
    return configuration(
      transport: transport,
      more: """

            "first": { "plugin": "./\(plugin)", "act": "\(first)" },
            "second": { "plugin": "./\(plugin)", "act": "\(second)" },
        """)
  }

  func addFaultyPlugin() throws {
    try directory.copy(BuiltProducts.fixture("faulty"), to: "faulty/libpabal-faulty.so")
  }

  @discardableResult
  func pabal(
    _ arguments: String..., input: [UInt8] = [], environment: [String: String?] = [:]
  ) throws -> ChildProcess {
    let clean: [String: String?] = ["PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "PABAL_PLUGIN_PATH": nil]
    return try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", arguments, input: input,
      environment: clean.merging(environment) { $1 }, directory: directory.path)
  }

  /// The names of the mails the file transport has written.
  var mails: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/mail")) ?? []
    // One that is still being written has a dot in front.
    return names.filter { !$0.hasPrefix(".") }.sorted()
  }

  /// The bytes of the only mail there is.
  func onlyMail() throws -> String {
    #expect(mails.count == 1)
    let data = try Data(contentsOf: URL(filePath: "\(directory.path)/mail/\(try #require(mails.first))"))
    return String(decoding: data, as: UTF8.self)
  }

  /// Subject, text and the header fields of a mail, as Python's `email` package reads it.
  func read(_ bytes: [UInt8]) throws -> [String: Any] {
    let script = """
      import email, email.policy, json, sys
      m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
      b = m.get_body(("plain",)); h = m.get_body(("html",))
      print(json.dumps({"subject": m["subject"], "from": m["from"], "to": m["to"], "headers": m.keys(),
        "text": b and b.get_content(), "html": h and h.get_content(), "defects": [str(d) for d in m.defects]}))
      """
    let run = try ChildProcess.run("python3", ["-c", script], input: bytes)
    #expect(run.status == 0, "\(run.errors)")
    return try #require(JSONSerialization.jsonObject(with: Data(run.bytes)) as? [String: Any])
  }
}

extension ChildProcess {
  /// Standard output as one JSON object.
  var json: [String: Any] {
    get throws { try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]) }
  }
}

/// What the tests of verifications ask a site.
extension TestSite {
  static let address = "you@example.org"

  /// The shipped configuration with more top-level members.
  static func shipped(with more: String) -> String {
    shipped.replacing(#""from""#, with: "\(more),\n  \"from\"")
  }

  /// `scripted` with more top-level members.
  static func scripted(_ act: String, with more: String) -> String {
    scripted(act).replacing(#""from""#, with: "\(more),\n  \"from\"")
  }

  /// An environment in which it is `seconds` later, for the one program that gets it.
  static func later(_ seconds: Int) -> [String: String?] {
    ["LD_PRELOAD": BuiltProducts.fixture("clock"), "PABAL_TEST_CLOCK": "\(seconds)"]
  }

  /// Starts a verification; gives what the command answered.
  @discardableResult
  func start(_ more: String..., environment: [String: String?] = [:]) throws -> [String: Any] {
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["verify", "start", Self.address, "--json"] + more,
      environment: environment, directory: directory.path)
    #expect(run.status == 0, "\(run.errors)")
    return try run.json
  }

  /// Starts a verification; gives its id.
  func startedID(_ more: String..., environment: [String: String?] = [:]) throws -> String {
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["verify", "start", Self.address, "--json"] + more,
      environment: environment, directory: directory.path)
    return try #require(try run.json["id"] as? String, "\(run.errors)")
  }

  /// The code in the newest mail of the mail directory.
  func newestCode() throws -> String {
    let data = try Data(contentsOf: URL(filePath: "\(directory.path)/mail/\(try #require(mails.last))"))
    let subject = try #require(try read(Array(data))["subject"] as? String)
    return String(try #require(subject.firstMatch(of: /[0-9]{6}/)?.0))
  }

  /// Another code than `code`.
  static func wrong(_ code: String) -> String {
    let other = String(((Int(code) ?? 0) + 1) % 1_000_000)
    return String(repeating: "0", count: 6 - other.count) + other
  }

  /// What `verify check` answers in JSON, and its status.
  func check(
    _ id: String, _ code: String, environment: [String: String?] = [:]
  ) throws -> (outcome: String?, left: Int?, proof: String?, status: Int32) {
    let run = try pabal("verify", "check", id, code, "--json", environment: environment)
    let answer = try run.json
    #expect(Set(answer.keys) == ["outcome", "attempts_remaining", "proof"])
    return (
      answer["outcome"] as? String, answer["attempts_remaining"] as? Int, answer["proof"] as? String,
      run.status
    )
  }

  /// The mails of the outbox, the newest first, as `outbox list` shows them.
  func outbox() throws -> [[String: Any]] {
    try #require(try pabal("outbox", "list", "--json").json["mails"] as? [[String: Any]])
  }
}

extension Trait where Self == ConditionTrait {
  /// Runs where there is a browser to look with.
  static var needsChromium: Self {
    .enabled("needs Chromium: ./dev prepare installs it") {
      ["/usr/bin/chromium", "/usr/local/bin/chromium"].contains(where: \.exists)
    }
  }
}
