import NIOCore
import Testing

@testable import PabalSubmission

@Suite struct `Reports about a client` {
  @Test func `pass once a minute`() {
    let limiter = ReportLimiter()
    let start = NIODeadline.now()
    #expect(limiter.isDue("crowded 192.0.2.1", at: start))
    #expect(!limiter.isDue("crowded 192.0.2.1", at: start + .seconds(59)))
    #expect(limiter.isDue("handshake 192.0.2.1", at: start + .seconds(59)))
    #expect(limiter.isDue("crowded 192.0.2.2", at: start + .seconds(59)))
    #expect(limiter.isDue("crowded 192.0.2.1", at: start + .seconds(60)))
  }
}
