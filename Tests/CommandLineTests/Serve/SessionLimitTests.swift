import PabalTesting
import Testing

/// A mail server that takes only some mails over one connection, refuses the rest, and leaves the connection open.
@Suite struct SessionLimitTests {
  private struct Script: Encodable {
    let security = "none"
    let offers = ["PIPELINING", "CHUNKING", "8BITMIME", "ENHANCEDSTATUSCODES"]
    let connections: [[String: Act]]
  }

  private struct Act: Encodable {
    let reply: String
    let skip: Int
  }

  private struct Report: Decodable {
    struct Mail: Decodable { let recipients: [String] }
    let connections: Int
    let taken: [Mail]
  }

  @Test(arguments: ["mail", "bdat"])
  func `serve delivers all mail over new connections without standing still`(
    _ place: String
  ) throws {
    let mailServer = try ScriptedServer("hostile.py")
    let limit = Act(reply: "452 4.4.5 Maximum number of messages per session exceeded", skip: 10)
    let port = try mailServer.listen(Script(connections: [[place: limit]]))
    let smtp = #""smtp": { "plugin": "smtp", "host": "127.0.0.1", "port": \#(port), "security": "none" }"#
    let served = try ServingSite(
      TestSite(
        TestSite.configuration(transport: #""smtp""#, more: "\n\(smtp),")
          .replacing(#""from""#, with: "\(ServingSite.serve),\n  \"from\"")))
    let variables =
      #""time": "2026-01-02T15:24:00Z", "device": "Chrome", "place": "Seoul", "link": "https://example.com/""#
    func taken() throws -> Int { try mailServer.ask(["report": port], as: Report.self).taken.count }
    for number in 1...14 {
      let mail =
        #"{"to": "user\#(number)@example.org", "message": "sign-in-alert", "variables": {\#(variables)}}"#
      #expect(try served.ask("/v1/mails", mail).status == 202)
      try eventually { try taken() == number }
    }
    let log = try served.stop()
    #expect(!log.contains("outcome=deferred"), "\(log)")
    let report = try mailServer.ask(["report": port], as: Report.self)
    #expect(Set(report.taken.flatMap(\.recipients)).count == 14)
    #expect(report.connections == 2)
  }
}
