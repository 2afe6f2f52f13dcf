import Foundation
import PabalTesting
import Testing

/// What the doors have acknowledged survives the death of `pabal serve` at any moment; see
/// `Tests/Servers/submission_kills.py`.
@Suite struct SubmissionCrashTests {
  /// The number of kills; `PABAL_KILLS` sets another one for `./dev soak`.
  private static let kills = ProcessInfo.processInfo.environment["PABAL_KILLS"].flatMap(Int.init) ?? 20

  @Test func `kill -9 at any moment loses no submitted mail and queues none twice`() throws {
    let directory = try TemporaryDirectory()
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/submission_kills.py", "\(BuiltProducts.directory)/pabal",
        directory.path, "\(Self.kills)",
      ])
    try #require(run.status == 0, "\(run.errors)")
    print("submission: \(run.output)")
    let result = try run.json
    let acknowledged = try #require(result["acknowledged"] as? [String: Int])
    #expect(acknowledged.count == 3 && acknowledged.values.allSatisfy { $0 >= Self.kills }, "too little load")
    for key in ["lost", "unfinished", "left in the drop directory", "queued twice", "unexpected"] {
      #expect(result[key] as? [String] == [], "\(key): \(run.output)")
    }
  }
}
