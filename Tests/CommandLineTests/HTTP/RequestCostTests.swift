import Foundation
import PabalTesting
import Testing

/// What one request may cost: the bounds of the page "Limits and defenses".
@Suite struct RequestCostTests {
  @Test func `each field of each request at its size limit costs little time and memory`() throws {
    let limits =
      #", "verification": { "clientStarts": [], "clientChecks": [], "cooldown": "0s", "recipient": [], "failures": 100 }"#
    let http = try HTTPTestSite(more: limits, arguments: ["--demo"], timeout: 300)
    let id = try #require(try http.start()["id"])
    let run = try ChildProcess.run(
      "python3",
      ["\(BuiltProducts.root)/Tests/Servers/costs.py", "\(http.port)", "\(http.number)", id])
    #expect(run.status == 0, "\(run.errors)")
    let result = try run.json
    let cases = try #require(result["cases"] as? [[String: Any]])
    #expect(cases.count > 500)
    for item in cases {
      let (name, status) = (item["case"] as? String ?? "", item["status"] as? Int ?? 0)
      #expect(200..<500 ~= status, "\(item)")
      // Milliseconds of an unoptimized build on a busy machine; an optimized one takes about a tenth.
      #expect(try #require(item["cpu"] as? Double) < 250, "\(name): \(item)")
      #expect(try #require(item["size"] as? Int) < 262_144, "\(name): \(item)")
    }
    let (before, after) = (result["before"] as? Double ?? 0, result["after"] as? Double ?? .infinity)
    #expect(after - before < 60, "\(before) MiB, \(after) MiB")
    #expect(try http.stop().status == 0)
  }
}
