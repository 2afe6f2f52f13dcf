import Foundation
import PabalTesting
import Testing

/// The service survives hostile and dying clients, and its memory stays bounded.
@Suite struct HTTPRobustnessTests {
  private func runAttack(_ kind: String, shellSetup: String = ":") throws -> [String: Any] {
    let http = try HTTPTestSite(shellSetup: shellSetup)
    let run = try ChildProcess.run(
      "python3",
      ["\(BuiltProducts.root)/Tests/Servers/hostile_http.py", "\(http.port)", "\(http.number)", kind])
    #expect(run.status == 0, "\(run.errors)")
    #expect(try http.stop().status == 0)
    return try run.json
  }

  @Test func `two thousand idle connections don't block others and cost little memory`() throws {
    // Fewer descriptors than connections, as most shells set; libdispatch crashes a process without a free one.
    let result = try runAttack("idle", shellSetup: "ulimit -S -n 256")
    #expect(result["served"] as? Bool == true && result["open"] as? Int == 2_000)
    #expect(try #require(result["grew"] as? Double) < 100)
  }

  @Test func `requests that arrive too slowly are cut off`() throws {
    let result = try runAttack("trickle")
    #expect(result["served"] as? Bool == true && result["left"] as? Int == 0)
  }

  @Test func `endless bodies and headers are cut off and not kept in memory`() throws {
    let result = try runAttack("huge")
    #expect(result["served"] as? Bool == true)
    #expect(try #require(result["grew"] as? Double) < 100)
    for sent in try #require(result["sent"] as? [Int]) { #expect(sent < 50_000_000) }
  }

  @Test func `incomplete requests and noise don't affect other clients`() throws {
    #expect(try runAttack("half")["served"] as? Bool == true)
  }

  @Test func `a log that isn't read doesn't block requests and reports how many lines were dropped`() throws {
    let site = try TestSite(TestSite.shipped(with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }"#))
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/unread_log.py", "\(BuiltProducts.directory)/pabal",
        "\(site.directory.path)/config.json",
      ])
    #expect(run.status == 0, "\(run.errors)")
    let result = try run.json
    let (logged, dropped) = (try #require(result["logged"] as? Int), try #require(result["lost"] as? Int))
    #expect(dropped > 0 && logged + dropped == result["answered"] as? Int)
    #expect((result["last"] as? String)?.hasSuffix(" stopped") == true)
    #expect(result["statuses"] as? [Int] == [0, 0])
  }

  @Test(arguments: [("unread", 300), ("unread", 1_050), ("announced", 1_050)])
  func `clients that occupy the service neither keep others out nor take memory for good`(
    kind: String, count: Int
  ) throws {
    let http = try HTTPTestSite(
      more: #", "verification": { "clientStarts": [] }"#, shellSetup: "ulimit -S -n 256")
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/hostile_http.py", "\(http.port)", "\(http.number)", kind,
        "\(count)",
      ])
    #expect(run.status == 0, "\(run.errors)")
    let result = try run.json
    // The slowest one is connected behind all attackers, so an unoptimized build has work for a second. How long that
    // takes depends on the load of the machine; a client waits for ten seconds at most.
    #expect(try #require(result["work"] as? Double) < 2, "\(run.output)")
    #expect(try #require(result["slowest"] as? Double) < 10, "\(run.output)")
    #expect(try #require(result["median"] as? Double) < 0.25, "\(run.output)")
    #expect(try #require(result["peak"] as? Double) < 150, "\(run.output)")
    #expect(try #require(result["after"] as? Double) < 80, "\(run.output)")
    let statuses = try #require(result["statuses"] as? [Int])
    #expect(statuses.count > 1 && statuses.allSatisfy { $0 == 202 }, "\(run.output)")
    #expect(try http.stop().status == 0)
  }

  @Test func `a stopping service answers the requests of connections that it hasn't accepted yet`() throws {
    let site = try TestSite(TestSite.shipped(with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }"#))
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/stopped_http.py", "\(BuiltProducts.directory)/pabal",
        "\(site.directory.path)/config.json", "300",
      ])
    #expect(run.status == 0, "\(run.errors)")
    let result = try run.json
    #expect(result["answered"] as? Int == 300, "\(run.output)")
    #expect(result["status"] as? Int == 0 && result["refused"] as? Bool == true)
  }

  @Test func `a request whose end is ambiguous is rejected, and nothing after it is answered`() throws {
    let http = try HTTPTestSite()
    let run = try ChildProcess.run(
      "python3",
      ["\(BuiltProducts.root)/Tests/Servers/hostile_http.py", "\(http.port)", "\(http.number)", "smuggling"])
    #expect(run.status == 0, "\(run.errors)")
    let answered = try #require(try run.json as? [String: [Int]])
    // 400: the body was read and lacks `proof`.
    let read: Set = ["chunked", "CHUNKED", "chunk extension", "length in trailer"]
    // Those that the parser rejects before are 400: a length as well, or a coding after `chunked` (RFC 9112, 6.3).
    let unknownCoding: Set = [
      "gzip, chunked", "gzip;chunked", "gzip", "two lines", "xchunked", "chunked;x", "quoted", "comma",
      "empty",
    ]
    for (name, statuses) in answered {
      #expect(statuses == [unknownCoding.contains(name) ? 501 : 400], "\(name)")
      if read.contains(name) { #expect(statuses == [400], "\(name)") }
    }
    #expect(answered.count > 30)
  }

  @Test func `the server closes, continues and rejects as RFC 9110 and 9112 require`() throws {
    let result = try runAttack("rules")
    #expect(result["old"] as? String == "HTTP/1.1 200 OK, closed")
    #expect(result["no host"] as? String == "HTTP/1.1 400 Bad Request, closed")
    #expect(result["two hosts"] as? String == "HTTP/1.1 400 Bad Request, closed")
    #expect(result["waits"] as? String == "HTTP/1.1 100 Continue, open")
    #expect(result["waits with too much"] as? String == "HTTP/1.1 413 Payload Too Large, closed")
    #expect(result["said otherwise"] as? String == "HTTP/1.1 200 OK, closed")
    #expect(result["usual"] as? String == "HTTP/1.1 200 OK, open")
  }

  @Test func `a malformed request is answered in order, logged and counted`() throws {
    let http = try HTTPTestSite()
    let received = try responses("broken", of: http)
    for (name, expected) in [
      ("header", "header-too-large"), ("fields", "header-too-large"), ("method", "malformed-request"),
      ("version", "malformed-request"), ("line", "malformed-request"), ("noise", "malformed-request"),
      ("field", "malformed-request"), ("no host", "malformed-request"), ("half", "malformed-request"),
      ("body", "incomplete"),
    ] {
      let responses = try #require(received[name])
      #expect(responses.count == 1, "\(name)")
      try expect(responses.last, is: expected, name)
    }
    let behind = try #require(received["behind others"])
    #expect(behind.map { $0["status"] as? Int } == [200, 200, 400])
    try expect(behind.last, is: "malformed-request", "behind others")
    // The response to HEAD has no body, and what follows the request isn't answered.
    let hosts = try #require(received["two hosts"])
    #expect(hosts.count == 1 && hosts[0]["status"] as? Int == 400 && hosts[0]["bytes"] as? Int == 0)
    let unread = try #require(received["unread body"])
    #expect(unread.map { $0["status"] as? Int } == [200])
    let counted = try http.call("GET", "/metrics").body
    #expect(counted.contains(#/pabal_http_requests_total\{[^}]*route="-"[^}]*status="431"\} 2\n/#))
    #expect(counted.contains(#/pabal_http_requests_total\{[^}]*route="-"[^}]*status="400"\} [1-9]/#))
    let log = try http.stop().log
    #expect(log.matches(of: #/request method=- route=- status=431 /#).count == 2)
    #expect(log.matches(of: #/request method=- route=- status=400 /#).count == 7)
    #expect(log.matches(of: #/request method=(HEAD|GET) route=- status=400 /#).count == 2)
  }

  @Test func `the host in the target replaces the Host field`() throws {
    let http = try HTTPTestSite()
    let received = try responses("absolute", of: http)
    for (name, status) in [
      ("here", 200), ("mails here", 404), ("capitals", 404), ("version 6", 404), ("elsewhere", 421),
      ("as a path", 404), ("no path", 404), ("a query", 404), ("a user", 400), ("no host", 400),
      ("a port alone", 400), ("another scheme", 400), ("without Host", 400), ("old", 421),
      ("host alone elsewhere", 421),
    ] {
      let responses = try #require(received[name])
      #expect(responses.map { $0["status"] as? Int } == [status], "\(name)")
    }
    #expect(received["mails here"]?.first?["problem"] as? String == "/problems/no-such-mail")
    #expect(received["as a path"]?.first?["problem"] as? String == "/problems/not-found")
    #expect(received["elsewhere"]?.first?["problem"] as? String == "/problems/misdirected")
    #expect(try http.stop().log.contains("route=/v1/mails/{id} status=421"))
  }

  /// Returns the responses on the connection of each request, by the request's name.
  private func responses(_ kind: String, of http: HTTPTestSite) throws -> [String: [[String: Any]]] {
    let run = try ChildProcess.run(
      "python3",
      ["\(BuiltProducts.root)/Tests/Servers/hostile_http.py", "\(http.port)", "\(http.number)", kind])
    #expect(run.status == 0, "\(run.errors)")
    return try #require(JSONSerialization.jsonObject(with: Data(run.bytes)) as? [String: [[String: Any]]])
  }

  private func expect(_ response: [String: Any]?, is problem: String, _ name: String) throws {
    let response = try #require(response)
    #expect(response["problem"] as? String == "/problems/\(problem)", "\(name): \(response)")
    #expect(response["type"] as? String == "application/problem+json", "\(name)")
    #expect(response["said"] as? Int == response["status"] as? Int, "\(name)")
    #expect(response["dated"] as? Bool == true && response["whole"] as? Bool == true, "\(name)")
    if problem != "incomplete" { #expect(response["connection"] as? String == "close", "\(name)") }
  }

  @Test func `kill -9 under load neither loses nor duplicates an acknowledged start`() throws {
    let site = try TestSite(
      TestSite.shipped(with: #""serve": { "listen": "127.0.0.1:0", "keyless": true, "keylessStarts": [] }"#)
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
