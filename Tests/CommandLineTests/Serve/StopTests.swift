import Foundation
import PabalTesting
import Testing

/// `pabal serve` stops on a signal, at whatever moment it comes.
@Suite struct StopTests {
  private static let clean: [String: String?] = [
    "PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "PABAL_PLUGIN_PATH": nil,
  ]

  /// Returns a field of the status file of a process; `nil` if the process doesn't exist.
  private func statusField(_ name: String, of server: InteractiveProcess) -> Substring? {
    let status = try? String(contentsOfFile: "/proc/\(server.number)/status", encoding: .utf8)
    return status?.split(separator: "\n").first { $0.hasPrefix("\(name):") }?.split(separator: "\t").last
  }

  private func hasEnded(_ server: InteractiveProcess) -> Bool {
    statusField("State", of: server).map { $0.hasPrefix("Z") } ?? true
  }

  @Test func `a SIGTERM right after the start stops pabal serve`() throws {
    let site = try TestSite(TestSite.shipped(with: DemoTestSite.serve))
    for _ in 0..<5 {
      let server = try InteractiveProcess(
        "\(BuiltProducts.directory)/pabal", ["serve"], environment: StopTests.clean,
        directory: site.directory.path)
      defer { server.signal(SIGKILL) }
      try server.transcript(until: "serving")
      server.signal(SIGTERM)
      try eventually { hasEnded(server) }
      #expect(try server.finish().status == 0)
    }
  }

  @Test func `stopping answers a request that waits for an attempt at once, and the attempt continues`()
    throws
  {
    let folder = try TemporaryDirectory()
    // A server that accepts the bytes of a mail and never replies.
    let sink = try SMTPSink(in: folder, delay: 9)
    let smtp =
      #""smtp": { "plugin": "smtp", "host": "127.0.0.1", "port": \#(sink.port), "security": "none" }"#
    let http = try HTTPTestSite(
      TestSite.configuration(transport: #""smtp""#, more: "\n\(smtp),")
        .replacing(#""from""#, with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }, "from""#))
    // Without the signal it would be answered after 30 seconds.
    let asked = try InteractiveProcess(
      "/usr/bin/env",
      [
        "curl", "-sS", "-i", "--max-time", "20", "-H", "Content-Type: application/json", "-H",
        "Prefer: wait=30",
        "-d", #"{"to": "you@example.org"}"#, "http://127.0.0.1:\(http.port)/v1/verifications",
      ], directory: folder.path)
    try sink.received(1)
    #expect(kill(http.number, SIGTERM) == 0)
    let answer = try asked.finish()
    #expect(answer.status == 0, "\(answer.errors)")
    #expect(answer.output.hasPrefix("HTTP/1.1 202 ") && answer.output.contains("Preference-Applied: wait=30"))
    #expect(answer.output.contains(#""status":"sending""#))
    let end = try http.stop()
    #expect(end.status == 75)
    #expect(end.log.contains(" stopping mails=1\n") && end.log.hasSuffix(" broken off mails=1\n"))
    let counts = try http.site.pabal("outbox", "--json").json["counts"] as? [String: Int]
    #expect(counts == ["sending": 1])
  }
}
