import Foundation
import PabalTesting
import Testing

/// Whoever tells `pabal serve` to stop is heard.
@Suite struct StopTests {
  private static let clean: [String: String?] = [
    "PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "PABAL_PLUGIN_PATH": nil,
  ]

  /// What the system says of a process; `nil` where there is none.
  private func fact(_ name: String, of server: RunningProcess) -> Substring? {
    let facts = try? String(contentsOfFile: "/proc/\(server.number)/status", encoding: .utf8)
    return facts?.split(separator: "\n").first { $0.hasPrefix("\(name):") }?.split(separator: "\t").last
  }

  private func hasEnded(_ server: RunningProcess) -> Bool {
    fact("State", of: server).map { $0.hasPrefix("Z") } ?? true
  }

  @Test func `a SIGTERM that comes as soon as it serves stops it`() throws {
    let site = try Site(Site.shipped(with: DemoSite.serve))
    for _ in 0..<5 {
      let server = try RunningProcess(
        "\(BuiltProducts.directory)/pabal", ["serve"], environment: StopTests.clean,
        directory: site.directory.path)
      defer { server.signal(SIGKILL) }
      try server.said(until: "serving")
      server.signal(SIGTERM)
      try eventually { hasEnded(server) }
      #expect(try server.finish().status == 0)
    }
  }
}
