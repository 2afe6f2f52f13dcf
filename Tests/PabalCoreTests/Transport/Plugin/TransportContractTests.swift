import PabalCore
import PabalTesting
import Testing

/// A transport with its settings; add a row here for a new transport.
private struct PluginUnderTest: Sendable, CustomTestStringConvertible {
  /// Where its mail can go: a directory, and the port of its server on 127.0.0.1.
  struct Place {
    let directory: String
    let port: Int
  }

  let plugin: String
  /// The file in `Tests/Servers` that plays its server, without TLS.
  let server: String?
  let settings: @Sendable (Place) -> [String: String]

  init(_ plugin: String, server: String? = nil, settings: @escaping @Sendable (Place) -> [String: String]) {
    self.plugin = plugin
    self.server = server
    self.settings = settings
  }

  /// A transport by a REST API, whose fake is `server`.
  init(_ plugin: String, api server: String) {
    self.init(plugin, server: server) { ["account": "me", "endpoint": "http://localhost:\($0.port)"] }
  }

  var testDescription: String { plugin }
}

/// The account `me`, whose token every fake accepts.
private struct ContractAccount: AccessTokenSource {
  let user = "sender@example.com"

  func accessToken(rejected: String?) throws(AccessTokenError) -> AccessToken {
    AccessToken(text: "a-token-of-the-contract-test")
  }
}

@Suite struct TransportContractTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: [
    PluginUnderTest(BuiltProducts.plugin("file")) { ["directory": "\($0.directory)/mail"] },
    PluginUnderTest(BuiltProducts.fixture("abi1")) { _ in ["folder": "."] },
    PluginUnderTest(BuiltProducts.plugin("gmail"), api: "gmail.py"),
    PluginUnderTest(BuiltProducts.plugin("graph"), api: "graph.py"),
  ])
  fileprivate func `every transport keeps the contract`(subject: PluginUnderTest) throws {
    let server = try subject.server.map { try ScriptedServer($0) }
    let port = try server?.listen(["plain": true]) ?? 0
    let findings = TransportContract(
      subject.plugin, settings: subject.settings(.init(directory: directory.path, port: port)),
      accounts: ["me": ContractAccount()], sender: "sender@example.com"
    ).findings()
    #expect(findings.count > 10)
    for finding in findings { #expect(finding.problem == nil, "\(finding)") }
    if let report = try server?.ask(["report": port], as: RESTServerReport.self) {
      #expect(report.strange == [])
      // The default of the setting `parallel`.
      #expect(report.mostUnderway <= 4)
    }
  }

  @Test func `the contract test runs on a third-party plugin file`() throws {
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal-contract",
      [BuiltProducts.plugin("console"), "stream=stderr", "envelope=false"])
    #expect(run.status == 0)
    #expect(run.output.hasSuffix("The plugin keeps the contract.\n"))
    #expect(run.errors.contains("Subject: contract"))
    let refused = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal-contract", [BuiltProducts.plugin("console"), "steam=stderr"])
    #expect(refused.status == 1)
    #expect(refused.output.contains("did you mean"))
  }

  @Test(arguments: [
    ("none", "a mail is sent"), ("rejected", "a mail is sent"), ("ready", "a mail is sent"),
  ])
  func `a transport that violates the contract is detected`(act: String, rule: String) throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "sound/libpabal-faulty.so")
    let findings = TransportContract(path, settings: ["act": act]).findings()
    #expect(findings.contains { $0.rule.hasPrefix(rule) && $0.problem != nil })
  }
}
