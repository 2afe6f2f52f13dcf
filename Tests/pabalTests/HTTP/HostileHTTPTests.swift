import Foundation
import PabalTesting
import Testing

/// Callers that mean no good, or die: the service goes on, and its memory stays bounded.
@Suite struct HostileHTTPTests {
  private func hostile(_ kind: String, after: String = ":") throws -> [String: Any] {
    let http = try HTTPSite(after: after)
    let run = try ChildProcess.run(
      "python3",
      ["\(BuiltProducts.root)/Tests/Servers/hostile_http.py", "\(http.port)", "\(http.number)", kind])
    #expect(run.status == 0, "\(run.errors)")
    #expect(try http.stop().status == 0)
    return try run.json
  }

  @Test func `two thousand idle connections keep nobody out and cost little`() throws {
    // Fewer descriptors than connections, as most shells give; a process without a free one is ended by libdispatch.
    let result = try hostile("idle", after: "ulimit -S -n 256")
    #expect(result["served"] as? Bool == true && result["open"] as? Int == 2_000)
    #expect(try #require(result["grew"] as? Double) < 100)
  }

  @Test func `requests that trickle in are cut off, however busy they look`() throws {
    let result = try hostile("trickle")
    #expect(result["served"] as? Bool == true && result["left"] as? Int == 0)
  }

  @Test func `bodies and headers without an end are cut off and not kept`() throws {
    let result = try hostile("huge")
    #expect(result["served"] as? Bool == true)
    #expect(try #require(result["grew"] as? Double) < 100)
    for sent in try #require(result["sent"] as? [Int]) { #expect(sent < 50_000_000) }
  }

  @Test func `half requests and noise are nobody's trouble`() throws {
    #expect(try hostile("half")["served"] as? Bool == true)
  }

  @Test func `a log that nobody reads holds nobody up, and says afterwards what it had to leave out`() throws
  {
    let site = try Site(Site.shipped(with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }"#))
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/unread_log.py", "\(BuiltProducts.directory)/pabal",
        "\(site.directory.path)/config.json",
      ])
    #expect(run.status == 0, "\(run.errors)")
    let result = try run.json
    let (told, lost) = (try #require(result["told"] as? Int), try #require(result["lost"] as? Int))
    #expect(lost > 0 && told + lost == result["answered"] as? Int)
    #expect((result["last"] as? String)?.hasSuffix(" stopped") == true)
    #expect(result["statuses"] as? [Int] == [0, 0])
  }

  @Test func `what HTTP asks of a server besides answers is done`() throws {
    let result = try hostile("rules")
    #expect(result["old"] as? String == "HTTP/1.1 200 OK, closed")
    #expect(result["no host"] as? String == "HTTP/1.1 400 Bad Request, closed")
    #expect(result["two hosts"] as? String == "HTTP/1.1 400 Bad Request, closed")
    #expect(result["waits"] as? String == "HTTP/1.1 100 Continue, open")
    #expect(result["waits with too much"] as? String == "HTTP/1.1 413 Payload Too Large, closed")
    #expect(result["said otherwise"] as? String == "HTTP/1.1 200 OK, closed")
    #expect(result["usual"] as? String == "HTTP/1.1 200 OK, open")
  }

  @Test func `kill -9 under load loses no answered start and doubles none`() throws {
    let site = try Site(
      Site.shipped(with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }"#)
        .replacing(#""serve""#, with: #""verification": { "clientStarts": [] }, "serve""#))
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/killed_http.py", "\(BuiltProducts.directory)/pabal",
        site.directory.path, "100",
      ])
    #expect(run.status == 0, "\(run.errors)")
    let result = try run.json
    #expect(try #require(result["answered"] as? Int) > 100)
    for kind in ["twice", "missing", "mailed_twice", "odd"] {
      #expect((result[kind] as? [Any])?.isEmpty == true, "\(kind): \(run.output)")
    }
  }
}
