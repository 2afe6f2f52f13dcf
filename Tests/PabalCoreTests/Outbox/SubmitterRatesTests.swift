import Synchronization
import Testing

@testable import PabalCore

/// What submitters have submitted, in memory.
@Suite struct SubmitterRatesTests {
  private final class Clock: Sendable {
    private let time = Mutex(Duration.zero)
    var now: Duration { time.withLock { $0 } }
    func advance(_ duration: Duration) { time.withLock { $0 += duration } }
  }

  private let rules = SenderRules(rate: [
    RateLimit(2, per: .seconds(60)), RateLimit(5, per: .seconds(3_600)),
  ])

  @Test func `the counts of submitters that have sent nothing for long are dropped`() throws {
    let clock = Clock()
    let rates = SubmitterRates { clock.now }
    for number in 0..<20_000 {
      _ = try rates.reserve(1, of: .certificate("\(number)"), rules)
      clock.advance(.seconds(10))
      // An hour has 360 submitters with two counts each.
      #expect(rates.size <= 1_500)
    }
    _ = try rates.reserve(1, of: .certificate("last"), rules)
    #expect(rates.size > 300)
  }

  @Test func `a count that still limits is kept, however many others there are`() throws {
    let clock = Clock()
    let rates = SubmitterRates { clock.now }
    for _ in 0..<2 {
      _ = try rates.reserve(2, of: .user("shop"), rules)
      clock.advance(.seconds(90))
    }
    for number in 0..<5_000 { _ = try rates.reserve(1, of: .network("\(number)"), rules) }
    // Four of five in this hour.
    let refusal = #expect(throws: SubmitterRates.Refusal.self) {
      try rates.reserve(2, of: .user("shop"), rules)
    }
    #expect(refusal?.limit.count == 5)
    clock.advance(.seconds(3_700))
    _ = try rates.reserve(2, of: .user("shop"), rules)
  }

  @Test func `a reservation whose count was dropped can be released`() throws {
    let clock = Clock()
    let rates = SubmitterRates { clock.now }
    let old = try rates.reserve(1, of: .user("shop"), rules)
    clock.advance(.seconds(7_200))
    for number in 0..<2_000 { _ = try rates.reserve(1, of: .network("\(number)"), rules) }
    rates.release(old)
    _ = try rates.reserve(2, of: .user("shop"), rules)
  }
}
