import PabalTesting
import Testing

@testable import PabalCore

@Suite struct VerificationConfigurationTests {
  private func read(_ section: String, in directory: String = "/etc/pabal") throws -> Configuration {
    let text =
      #"{"transport": "a", "transports": {"a": {"plugin": "a"}}, "from": "a@b.co", \#(section)}"#
    return try Configuration.read(
      Array(text.utf8), file: "config.json", directory: directory,
      secrets: SecretAccess(environment: {
        ["KEY": String(repeating: "0a", count: 32), "OLD": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="][$0]
      }))
  }

  private func problems(_ section: String) -> [String] {
    let problem = #expect(throws: Diagnostics.self) { try read(section) }
    return problem?.all.map { "\($0.path ?? ""): \($0.message)" } ?? []
  }

  @Test func `without a section, the defaults apply`() throws {
    let configuration = try read(#""plugins": {}"#)
    #expect(configuration.verification.policy == VerificationPolicy())
    #expect(configuration.keys.directory == "/etc/pabal/keys")
    #expect(try read(#""verification": {}"#).verification.policy == VerificationPolicy())
  }

  @Test func `every setting is read`() throws {
    let policy = try read(
      """
      "verification": {"message": "sign-in", "digits": 8, "lifetime": "5m", "attempts": 3, "cooldown": "0s",
        "sends": 2, "recipient": ["3/10m"], "clientStarts": [], "clientChecks": ["7/30s", "9/1h"],
        "quota": 2000, "failures": 50, "block": "1h", "proofLifetime": "5m", "retention": "48h"}
      """
    ).verification.policy
    var expected = VerificationPolicy()
    expected.message = "sign-in"
    expected.digits = 8
    expected.lifetime = .seconds(300)
    expected.attempts = 3
    expected.cooldown = .zero
    expected.sends = 2
    expected.recipient = [RateLimit(3, per: .seconds(600))]
    expected.clientStarts = []
    expected.clientChecks = [RateLimit(7, per: .seconds(30)), RateLimit(9, per: .seconds(3_600))]
    expected.quota = 2_000
    expected.failures = 50
    expected.block = .seconds(3_600)
    expected.proofLifetime = .seconds(300)
    expected.retention = .seconds(172_800)
    #expect(policy == expected)
    #expect(policy.startQuota == 1_600)
  }

  @Test func `each value out of range is reported with its path`() {
    #expect(
      problems(
        """
        "verification": {"digits": 5, "lifetime": "1m", "attempts": 0, "cooldown": "61m", "sends": 2.5,
          "recipient": ["5"], "clientStarts": "5/1h", "clientChecks": ["0/1h", "5/1d"], "block": 5, "qouta": 1}
        """) == [
          "verification.digits: '5' is out of range",
          "verification.lifetime: '1m' is out of range",
          "verification.attempts: '0' is out of range",
          "verification.cooldown: '61m' is out of range",
          "verification.sends: expected a whole number from 1 to 10",
          "verification.recipient[0]: '5' is not a limit of 1 to 1000000 within 1s to 720h",
          "verification.clientStarts: expected a list, not a string",
          "verification.clientChecks[0]: '0/1h' is not a limit of 1 to 1000000 within 1s to 720h",
          "verification.clientChecks[1]: '5/1d' is not a limit of 1 to 1000000 within 1s to 720h",
          "verification.block: expected a duration in a string, not a number",
          "verification.qouta: unknown key",
        ])
  }

  @Test func `a code that is valid for more than ten minutes works, with a warning`() throws {
    #expect(try read(#""verification": {"lifetime": "10m"}"#).verification.warnings.isEmpty)
    #expect(
      try read(#""verification": {"lifetime": "11m"}"#).verification.warnings
        == [
          "verification.lifetime is 11m, longer than the ten minutes of OWASP ASVS 6.5.5; use \"10m\" or less"
        ])
  }

  @Test func `the directory of the keys is relative to the file`() throws {
    let folder = try TemporaryDirectory()
    let configuration = try read(#""keys": {"directory": "secret/keys"}"#, in: folder.path)
    #expect(configuration.keys.directory == "\(folder.path)/secret/keys")
    let keys = try configuration.keys.keyring()
    #expect(
      try Keyring.loadOrCreate(directory: "\(folder.path)/secret/keys").checkValue == keys.checkValue)
  }

  @Test func `the current and previous keys can be secrets`() throws {
    let keys = try read(#""keys": {"current": {"env": "KEY"}, "previous": [{"env": "OLD"}]}"#).keys.keyring()
    let current = try #require(MasterKey(bytes: [UInt8](repeating: 10, count: 32)))
    let old = try #require(MasterKey(bytes: Array(0..<32)))
    #expect(keys.checkValue == Keyring(current: current).checkValue)
    #expect(keys.previousCheckValues == [Keyring(current: old).checkValue])
  }

  @Test func `an invalid key is rejected without being shown`() throws {
    #expect(problems(#""keys": {"current": "hunter2"}"#) == ["keys.current: not a key"])
    #expect(problems(#""keys": {}"#) == ["keys: neither \"directory\" nor \"current\" is set"])
    #expect(problems(#""keys": {"directory": "a", "current": {"env": "KEY"}}"#).count == 1)
    #expect(problems(#""keys": {"previous": []}"#).count == 1)
    let fetched = try read(#""keys": {"current": {"command": ["echo", "hunter2"]}}"#).keys
    let problem = #expect(throws: Diagnostic.self) { try fetched.keyring() }
    #expect(problem?.description.contains("is not a key; create one with openssl rand -hex 32") == true)
    #expect(problem?.description.contains("hunter2") == false)
  }
}
