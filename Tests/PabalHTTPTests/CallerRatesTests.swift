import PabalCore
import Synchronization
import Testing

@testable import PabalHTTP

/// Rates of clients and the ceiling of callers without a key.
@Suite struct CallerRatesTests {
  private final class Clock: Sendable {
    let time = Mutex(Duration.zero)
    func advance(_ duration: Duration) { time.withLock { $0 += duration } }
  }

  private func take(
    _ rates: CallerRates, _ count: Int = 1, of caller: Caller = .client("shop"), within limits: [RateLimit],
    isCounted: Bool = true
  ) async -> ProblemDetails? {
    do throws(ProblemDetails) {
      return try await rates.run(.mail, count, of: caller, limits) { limit, wait in
        var problem = ProblemDetails("limit-reached", .tooManyRequests, "\(limit.count)")
        problem.retryAfter = wait?.wholeSecondsUp
        return problem
      } _: { () throws(ProblemDetails) in
        (nil, isCounted: isCounted)
      }
    } catch {
      return error
    }
  }

  @Test func `a rate is reached at its count, for each caller, until its window has passed`() async {
    let clock = Clock()
    let rates = CallerRates { clock.time.withLock { $0 } }
    let limits = [RateLimit(3, per: .seconds(60))]
    for _ in 0..<3 { #expect(await take(rates, within: limits) == nil) }
    #expect(await take(rates, within: limits)?.retryAfter == 61)
    #expect(await take(rates, of: .client("other"), within: limits) == nil)
    clock.advance(.seconds(59))
    #expect(await take(rates, within: limits)?.retryAfter == 2)
    clock.advance(.seconds(2))
    #expect(await take(rates, within: limits) == nil)
  }

  @Test func `each of several limits applies, and recipients count one by one`() async {
    let rates = CallerRates { .zero }
    let limits = [RateLimit(100, per: .seconds(60)), RateLimit(150, per: .seconds(3_600))]
    #expect(await take(rates, 100, within: limits) == nil)
    #expect(await take(rates, within: limits)?.title == "100")
    #expect(await take(rates, 101, within: limits)?.retryAfter == nil)
  }

  @Test func `what fails or is a replay doesn't count`() async {
    let rates = CallerRates { .zero }
    let limits = [RateLimit(1, per: .seconds(60))]
    for _ in 0..<3 { #expect(await take(rates, within: limits, isCounted: false) == nil) }
    #expect(await take(rates, within: limits) == nil)
    #expect(await take(rates, within: limits) != nil)
    #expect(await take(rates, within: []) == nil)
  }
}
