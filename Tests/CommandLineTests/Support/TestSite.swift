import Foundation
import PabalTesting
import Testing

/// A folder with a configuration and the shipped messages.
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

  /// Returns a configuration with transports `first` and `second` of the faulty plugin, which act as given.
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

  /// Changes to the environment that remove Pabal's own variables.
  static let cleanEnvironment: [String: String?] = [
    "PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "PABAL_PLUGIN_PATH": nil,
  ]

  func addFaultyPlugin() throws {
    try directory.copy(BuiltProducts.fixture("faulty"), to: "faulty/libpabal-faulty.so")
  }

  @discardableResult
  func pabal(
    _ arguments: String..., input: [UInt8] = [], environment: [String: String?] = [:]
  ) throws -> ChildProcess {
    return try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", arguments, input: input,
      environment: Self.cleanEnvironment.merging(environment) { $1 }, directory: directory.path)
  }

  /// The names of the mails the file transport has written.
  var mails: [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(directory.path)/mail")) ?? []
    // The name of an incomplete file begins with a dot.
    return names.filter { !$0.hasPrefix(".") }.sorted()
  }

  /// Returns the only mail; fails if there are several.
  func onlyMail() throws -> String {
    #expect(mails.count == 1)
    let data = try Data(contentsOf: URL(filePath: "\(directory.path)/mail/\(try #require(mails.first))"))
    return String(decoding: data, as: UTF8.self)
  }

  /// Parses a mail with Python's `email` package: subject, text, HTML and header fields.
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

/// Verifications.
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

  /// Returns an environment that sets the clock of a program ahead by `seconds`.
  static func later(_ seconds: Int) -> [String: String?] {
    ["LD_PRELOAD": BuiltProducts.fixture("clock"), "PABAL_TEST_CLOCK": "\(seconds)"]
  }

  /// Starts a verification and returns the JSON answer.
  @discardableResult
  func start(_ more: String..., environment: [String: String?] = [:]) throws -> [String: Any] {
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["verify", "start", Self.address, "--json"] + more,
      environment: environment, directory: directory.path)
    #expect(run.status == 0, "\(run.errors)")
    return try run.json
  }

  /// Starts a verification and returns its id.
  func startedID(_ more: String..., environment: [String: String?] = [:]) throws -> String {
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["verify", "start", Self.address, "--json"] + more,
      environment: environment, directory: directory.path)
    return try #require(try run.json["id"] as? String, "\(run.errors)")
  }

  /// Returns the code in the newest mail of the mail directory.
  func newestCode() throws -> String {
    let data = try Data(contentsOf: URL(filePath: "\(directory.path)/mail/\(try #require(mails.last))"))
    let subject = try #require(try read(Array(data))["subject"] as? String)
    return String(try #require(subject.firstMatch(of: /[0-9]{6}/)?.0))
  }

  /// Returns a code that differs from `code`.
  static func wrong(_ code: String) -> String {
    let other = String(((Int(code) ?? 0) + 1) % 1_000_000)
    return String(repeating: "0", count: 6 - other.count) + other
  }

  /// Checks a code and returns the JSON answer and the exit status.
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

  /// Returns the mails of the outbox, newest first, as listed by `outbox list --json`.
  func outbox() throws -> [[String: Any]] {
    try #require(try pabal("outbox", "list", "--json").json["mails"] as? [[String: Any]])
  }
}

extension Trait where Self == ConditionTrait {
  /// Enables a test if Chromium is installed.
  static var needsChromium: Self {
    .enabled("needs Chromium: ./dev prepare installs it") {
      ["/usr/bin/chromium", "/usr/local/bin/chromium"].contains(where: \.exists)
    }
  }
}
