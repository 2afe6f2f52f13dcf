import Foundation
import PabalTesting
import Testing

/// `pabal serve` can be stopped, whatever stands still around it.
@Suite struct StopTests {
  @Test func `a second SIGTERM is heard where nobody reads the log`() throws {
    let site = try Site(Site.shipped(with: DemoSite.serve))
    let server = try RunningProcess(
      // As much as a pipe holds (pipe(7)): its first line stands still.
      "/bin/sh",
      ["-c", #"head -c 65536 /dev/zero >&2; exec "$0" serve"#, "\(BuiltProducts.directory)/pabal"],
      environment: ["PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "PABAL_PLUGIN_PATH": nil],
      directory: site.directory.path)
    func fact(_ name: String) -> Substring? {
      let facts = try? String(contentsOfFile: "/proc/\(server.number)/status", encoding: .utf8)
      return facts?.split(separator: "\n").first { $0.hasPrefix("\(name):") }?.split(separator: "\t").last
    }
    // Sooner it would end by itself, as any program does.
    let hears = UInt64(1) << (SIGTERM - 1)
    try eventually { UInt64(fact("SigCgt") ?? "", radix: 16).map { $0 & hears != 0 } ?? false }
    try eventually {
      server.signal(SIGTERM)
      return fact("State").map { $0.hasPrefix("Z") } ?? true
    }
    #expect(try server.finish().status == 75)
  }
}
