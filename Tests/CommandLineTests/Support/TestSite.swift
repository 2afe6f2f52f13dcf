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
  static func scripted(_ first: String, _ second: String = "sent", transport: String = #""first""#) -> String {
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

  /// The octets of the only mail there is.
  func onlyMail() throws -> String {
    #expect(mails.count == 1)
    let data = try Data(contentsOf: URL(filePath: "\(directory.path)/mail/\(try #require(mails.first))"))
    return String(decoding: data, as: UTF8.self)
  }

  /// Subject, text and the header fields of a mail, as Python's `email` package reads it.
  func read(_ octets: [UInt8]) throws -> [String: Any] {
    let script = """
      import email, email.policy, json, sys
      m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
      b = m.get_body(("plain",)); h = m.get_body(("html",))
      print(json.dumps({"subject": m["subject"], "from": m["from"], "to": m["to"], "headers": m.keys(),
        "text": b and b.get_content(), "html": h and h.get_content(), "defects": [str(d) for d in m.defects]}))
      """
    let run = try ChildProcess.run("python3", ["-c", script], input: octets)
    #expect(run.status == 0, "\(run.errors)")
    return try #require(JSONSerialization.jsonObject(with: Data(run.octets)) as? [String: Any])
  }
}

extension ChildProcess {
  /// Standard output as one JSON object.
  var json: [String: Any] {
    get throws { try #require(JSONSerialization.jsonObject(with: Data(octets)) as? [String: Any]) }
  }
}
