import HTTPTypes
import Testing

@testable import PabalHTTP

/// `Prefer: wait=…` (RFC 7240).
@Suite struct PreferHeaderTests {
  @Test(arguments: [
    ("wait=20", 20), ("wait=\"20\"", 20), ("WAIT = 20", 20), ("respond-async, wait=20", 20),
    ("respond-async,  Wait=20 ; foo=bar", 20), ("wait=0", 0), ("wait=30", 30), ("wait=31", 30),
    ("wait=99", 30),
    ("wait=020", 20), ("wait=5, wait=9", 5), ("wait=soon, wait=9", 9), ("wait=+7", 7),
  ])
  func `a request waits for the seconds that it asks for, at most thirty`(value: String, seconds: Int) {
    #expect(PreferHeader([.prefer: value]).wait == seconds)
  }

  @Test(arguments: [
    "", ",", ";", "=", "wait", "wait=", "wait=-1", "wait=soon", "wait=1.5", "wait=\"", "wait=\"\"",
    "wait='20'",
    "waiting=20", "wait=20=30", "respond-async", "foo; wait=20", "wait=99999999999999999999",
  ])
  func `a request doesn't wait if it doesn't ask for a number of seconds`(value: String) {
    #expect(PreferHeader([.prefer: value]).wait == nil)
  }

  @Test func `the first of several fields with a wait counts`() {
    var headers = HTTPFields()
    #expect(PreferHeader(headers).wait == nil)
    headers.append(HTTPField(name: .prefer, value: "respond-async"))
    headers.append(HTTPField(name: .prefer, value: "wait=3"))
    headers.append(HTTPField(name: .prefer, value: "wait=9"))
    #expect(PreferHeader(headers).wait == 3)
  }

  @Test func `the wait that was applied is in the response, and one that wasn't asked for isn't`()
    async throws
  {
    let fixture = try RouterFixture()
    func applied(_ prefer: String?) async throws -> String? {
      var headers = HTTPFields()
      headers[.prefer] = prefer
      let answer = try await fixture.send(
        .post, "/v1/mails", #"{"to": "you@example.org", "message": "verification"}"#, headers: headers)
      #expect(answer.status == .accepted)
      return answer.headers[.preferenceApplied]
    }
    #expect(try await applied(nil) == nil)
    #expect(try await applied("wait=soon") == nil)
    #expect(try await applied("wait=0") == "wait=0")
    // Nothing delivers the mail here, so the response comes when the time is up.
    #expect(try await applied("wait=\"1\"") == "wait=1")
  }
}
