import Foundation
import PabalTesting
import Testing

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
