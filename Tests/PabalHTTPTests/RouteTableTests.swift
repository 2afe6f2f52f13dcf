import Foundation
import HTTPTypes
import PabalTesting
import Testing

@testable import PabalHTTP

/// The route table, the lookup in it, and what the router makes of both.
@Suite struct RouteTableTests {
  private let table = HTTPRouteTable(HTTPRoute.all)

  /// The path of a route with `value` for its parameter.
  private func path(_ route: HTTPRoute, _ value: String = "abc") -> String {
    route.path.replacing(/\{[a-z]+\}/, with: value)
  }

  @Test func `every row is found by its path and method, and a GET row by HEAD as well`() throws {
    for row in HTTPRoute.all {
      let match = try #require(table.match(path(row)), "\(row.path)")
      #expect(match.endpoint.path == row.path)
      #expect(match.parameter == (row.path.contains("{") ? "abc" : ""))
      #expect(match.endpoint.route(for: row.method)?.method == row.method)
      #expect(match.endpoint.access == row.access)
      #expect((match.endpoint.route(for: .head) != nil) == match.endpoint.methods.contains(.get))
    }
    #expect(table.endpoints.reduce(0) { $0 + $1.routes.count } == HTTPRoute.all.count)
  }

  @Test(arguments: [
    "", "healthz", "*", "//", "/v1", "/v1/", "/v1/verifications/", "/v1/verifications//check",
    "/v1/verifications/a/", "/v1/verifications/a/b", "/v1/verifications/a/b/check",
    "/v1/verifications/a/check/", "/v1/verifications/a/checks", "/v1/verifications/a/CHECK",
    "/V1/verifications", "/v1/mails/", "/v1/mails/a/b", "/v1/messages//render", "/v1/messages/a",
    "/v1/messages/a/rende", "/v1/proofs", "/v1/proofs/redeem/", "/healthz/", "/%68ealthz", "/healthz\u{301}",
    "/demo", "/demo/", "/demo/start/", "/demo/mail/", "/demo/mail/a/b", "/demo/verify.json",
  ])
  func `a path that isn't in the table has no endpoint`(path: String) {
    #expect(table.match(path) == nil)
  }

  @Test(arguments: [
    "%2F", "%2e%2e", "..", ".", "a b", "check", "render", "{id}", "a?b", "a;b=c", "가나다", "e\u{301}", "\0",
    "%",
    String(repeating: "x", count: 10_000),
  ])
  func `a parameter is the segment as it was sent`(value: String) {
    for row in HTTPRoute.all where row.path.contains("{") {
      let match = table.match(path(row, value))
      #expect(match?.endpoint.path == row.path && match?.parameter == value)
    }
  }

  @Test func `a parameter isn't decoded before it reaches the store`() async throws {
    let fixture = try RouterFixture()
    for id in ["%2F", "..", "가나다", "a%20b", "'%22--"] {
      #expect(try await fixture.send(.get, "/v1/verifications/\(id)").problem == "no-such-verification")
      #expect(try await fixture.send(.get, "/v1/mails/\(id)?wait=1").problem == "no-such-mail")
      #expect(try await fixture.send(.post, "/v1/messages/\(id)/render").problem == "no-such-message")
    }
  }

  @Test func `an unknown path is answered with 404 and reported without a route`() async throws {
    let fixture = try RouterFixture(hasDemo: true)
    for (method, path) in [
      (.get, "/v2"), (.post, "/v1/verifications/a/b/check"), (.delete, "/nothing"), (.options, "*"),
    ] as [(HTTPRequest.Method, String)] {
      let answer = try await fixture.send(method, path)
      #expect(answer.status == .notFound && answer.problem == "not-found", "\(path)")
      #expect(
        fixture.lastReport
          == RouterFixture.Report(route: "-", method: method.rawValue, status: 404, client: nil))
    }
  }

  @Test(arguments: [HTTPRequest.Method.get, .head, .post, .put, .delete, .patch, .options])
  func `a method that a path doesn't support is answered with 405 and Allow`(method: HTTPRequest.Method)
    async throws
  {
    let fixture = try RouterFixture(hasDemo: true)
    for endpoint in table.endpoints where !endpoint.methods.contains(method) {
      let path = endpoint.path.replacing(/\{[a-z]+\}/, with: "abc")
      let answer = try await fixture.send(method, path)
      #expect(answer.status == .methodNotAllowed, "\(path)")
      #expect(answer.problem == (method == .head ? nil : "method-not-allowed"))
      let allowed =
        switch (endpoint.route(for: .get), endpoint.route(for: .post)) {
        case (.some, .some): "GET, HEAD, POST"
        case (.some, nil): "GET, HEAD"
        default: "POST"
        }
      #expect(answer.headers[.allow] == allowed, "\(path)")
      #expect(fixture.lastReport?.route == endpoint.path && fixture.lastReport?.status == 405)
    }
  }

  @Test func `a path is refused for its method before the caller is asked for a key`() async throws {
    let fixture = try RouterFixture(serve: #"{ "listen": "127.0.0.1:0", "clients": {} }"#)
    #expect(try await fixture.send(.get, "/v1/proofs/redeem").status == .methodNotAllowed)
    #expect(try await fixture.send(.post, "/v1/proofs/redeem").status == .unauthorized)
  }

  @Test func `a route for clients requires a key, and the others don't`() async throws {
    let fixture = try RouterFixture(
      serve: #"{ "listen": "127.0.0.1:0", "clients": {} }"#, hasDemo: true)
    for row in HTTPRoute.all {
      let answer = try await fixture.send(row.method, path(row))
      #expect((answer.status == .unauthorized) == row.access.isClient, "\(row.path)")
      #expect(fixture.lastReport?.route == row.path)
    }
  }

  @Test func `HEAD is answered like GET, without a body`() async throws {
    let fixture = try RouterFixture()
    for path in ["/healthz", "/readyz", "/openapi.json", "/metrics"] {
      let (get, head) = (try await fixture.send(.get, path), try await fixture.send(.head, path))
      #expect(head.status == get.status && head.body.isEmpty)
      #expect(head.headers[.contentType] == get.headers[.contentType])
      #expect(fixture.lastReport?.method == "HEAD" && fixture.lastReport?.route == path)
    }
  }

  @Test func `the demo page has no paths on a service without it`() async throws {
    let (with, without) = (try RouterFixture(hasDemo: true), try RouterFixture())
    for row in HTTPRoute.all where row.access == .demo {
      #expect(try await without.send(row.method, path(row)).problem == "not-found")
      #expect(without.lastReport?.route == "-")
      let answer = try await with.send(row.method, path(row))
      #expect(with.lastReport?.route == row.path, "\(row.path)")
      #expect(
        answer.status == .seeOther || row.method == .post || row.path == "/demo/mail/{id}"
          || answer.status == .ok)
    }
  }

  @Test func `metrics have no path on a service without them`() async throws {
    let fixture = try RouterFixture(hasMetrics: false)
    #expect(try await fixture.send(.get, "/metrics").problem == "not-found")
  }

  @Test func `the OpenAPI document describes the rows that aren't of the demo page, and their access`() throws
  {
    struct Document: Decodable {
      struct Operation: Decodable {
        var security: [[String: [String]]]?
      }
      var paths: [String: [String: Operation]]
      var security: [[String: [String]]]
    }
    let document = try JSONDecoder().decode(Document.self, from: Data(PackageResources.openapi_json))
    var documented: [String: Bool] = [:]
    for (path, operations) in document.paths {
      for (method, operation) in operations {
        documented["\(method.uppercased()) \(path)"] =
          (operation.security ?? document.security).first?.isEmpty == false
      }
    }
    var expected: [String: Bool] = [:]
    for row in HTTPRoute.all where row.access != .demo && row.path != "/openapi.json" {
      // Only /readyz has an answer of its own for clients although anyone may call it.
      expected["\(row.method.rawValue) \(row.path)"] = row.access.isClient || row.path == "/readyz"
    }
    #expect(documented == expected)
  }
}

extension HTTPRoute.Access {
  fileprivate var isClient: Bool {
    if case .client = self { true } else { false }
  }
}
