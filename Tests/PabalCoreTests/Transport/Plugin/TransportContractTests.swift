import PabalCore
import PabalTesting
import Testing

/// A transport with its settings; add a row here for a new transport.
private struct PluginUnderTest: Sendable, CustomTestStringConvertible {
  let plugin: String
  var settings: [String: String] = [:]
  var testDescription: String { plugin }
}

@Suite struct TransportContractTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test(arguments: [
    PluginUnderTest(plugin: BuiltProducts.plugin("file"), settings: ["directory": "mail"]),
    PluginUnderTest(plugin: BuiltProducts.fixture("abi1"), settings: ["folder": "."]),
  ])
  fileprivate func `every transport keeps the contract`(subject: PluginUnderTest) {
    var settings = subject.settings
    if settings["directory"] != nil { settings["directory"] = "\(directory.path)/mail" }
    let findings = TransportContract(subject.plugin, settings: settings).findings()
    #expect(findings.count > 10)
    for finding in findings { #expect(finding.problem == nil, "\(finding)") }
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
