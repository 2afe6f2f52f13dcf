/// The limits as the notes in the store have them at one moment, each looked up once.
struct VerificationRateLimiter {
  let rows: any VerificationTransaction
  let now: Timestamp
  // The newest few under each rule's keys, the newest first.
  private var cachedEvents: [[[UInt8]]: [Timestamp]] = [:]

  init(rows: any VerificationTransaction, now: Timestamp) {
    self.rows = rows
    self.now = now
  }

  /// A limit that stands in the way until then.
  struct Block {
    var limit: VerificationLimit
    var until: Timestamp
  }

  /// What is counted, and how many of it may be.
  struct Rule {
    var limit: VerificationLimit
    var keys: [[UInt8]]
    var rateLimits: [RateLimit]
  }

  /// So many notes cost no more to read than one.
  private static let prefetchCount = 10

  /// The barrier that is the last to fall, so that whoever waits for it has waited for all.
  mutating func block(_ rules: [Rule]) throws -> Block? {
    var last: Block?
    for rule in rules {
      for rateLimit in rule.rateLimits where rateLimit.window > .zero {
        // A cap is full as long as the note that many places back is within the window.
        guard rateLimit.count > 0 else { return Block(limit: rule.limit, until: now + rateLimit.window) }
        let event: Timestamp?
        if rateLimit.count <= VerificationRateLimiter.prefetchCount {
          let times = try newest(rule.keys)
          event = times.count >= rateLimit.count ? times[rateLimit.count - 1] : nil
        } else {
          event = try rows.events(1, skipping: rateLimit.count - 1, under: rule.keys).first
        }
        guard let event else { continue }
        // The clock may have been set back since.
        let until = min(event, now) + rateLimit.window
        if until > now, until > last?.until ?? now { last = Block(limit: rule.limit, until: until) }
      }
    }
    return last
  }

  /// Dates notes that a clock that was set back left ahead of now back to it.
  mutating func clampFutureTimes(_ rules: [Rule]) throws {
    for rule in rules {
      guard let newest = try newest(rule.keys).first, newest > now else { continue }
      try rows.clampFutureEvents(under: rule.keys, at: now)
      cachedEvents[rule.keys] = nil
    }
  }

  /// Takes down notes under the first of each rule's keys; `mail` is the one whose rejection takes them back.
  mutating func recordEvents(_ rules: [Rule], mail: (Rule) -> String?) throws {
    try rows.add(rules.map { RateLimitEvent(key: $0.keys[0], at: now, mail: mail($0)) })
    for rule in rules {
      if let times = cachedEvents[rule.keys] { cachedEvents[rule.keys] = [now] + times }
    }
  }

  private mutating func newest(_ keys: [[UInt8]]) throws -> [Timestamp] {
    if let times = cachedEvents[keys] { return times }
    let times = try rows.events(VerificationRateLimiter.prefetchCount, skipping: 0, under: keys)
    cachedEvents[keys] = times
    return times
  }

  /// The barrier that too many wrong codes in a row put up.
  func block(_ keys: [[UInt8]], _ policy: VerificationPolicy) throws -> Block? {
    guard let failures = try rows.failures(under: keys), failures.count >= policy.failures else { return nil }
    let until = min(failures.last, now) + policy.block
    return until > now ? Block(limit: .failures, until: until) : nil
  }

  /// One more wrong code; a row that a block ended begins anew.
  func addFailure(_ keys: [[UInt8]], _ policy: VerificationPolicy) throws {
    let before = try rows.failures(under: keys)
    let count = before.map { $0.count >= policy.failures ? 0 : $0.count } ?? 0
    try rows.set(FailureCount(count: count + 1, last: now), under: keys)
  }
}
