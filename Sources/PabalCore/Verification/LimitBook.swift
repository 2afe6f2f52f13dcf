/// The limits as the notes in the store have them at one moment, each looked up once.
struct LimitBook {
  let rows: any VerificationRows
  let now: Timestamp
  // The newest few under each rule's keys, the newest first.
  private var known: [[[UInt8]]: [Timestamp]] = [:]

  init(rows: any VerificationRows, now: Timestamp) {
    self.rows = rows
    self.now = now
  }

  /// A limit that stands in the way until then.
  struct Barrier {
    var limit: VerificationLimit
    var until: Timestamp
  }

  /// What is counted, and how many of it may be.
  struct Rule {
    var limit: VerificationLimit
    var keys: [[UInt8]]
    var caps: [VerificationCap]
  }

  /// So many notes cost no more to read than one.
  private static let few = 10

  /// The barrier that is the last to fall, so that whoever waits for it has waited for all.
  mutating func barrier(_ rules: [Rule]) throws -> Barrier? {
    var last: Barrier?
    for rule in rules {
      for cap in rule.caps where cap.window > .zero {
        // A cap is full as long as the note that many places back is within the window.
        guard cap.count > 0 else { return Barrier(limit: rule.limit, until: now + cap.window) }
        let event: Timestamp?
        if cap.count <= LimitBook.few {
          let times = try newest(rule.keys)
          event = times.count >= cap.count ? times[cap.count - 1] : nil
        } else {
          event = try rows.notes(1, skipping: cap.count - 1, under: rule.keys).first
        }
        guard let event else { continue }
        // The clock may have been set back since.
        let until = min(event, now) + cap.window
        if until > now, until > last?.until ?? now { last = Barrier(limit: rule.limit, until: until) }
      }
    }
    return last
  }

  /// Dates notes that a clock that was set back left ahead of now back to it.
  mutating func settle(_ rules: [Rule]) throws {
    for rule in rules {
      guard let newest = try newest(rule.keys).first, newest > now else { continue }
      try rows.settleNotes(under: rule.keys, at: now)
      known[rule.keys] = nil
    }
  }

  /// Takes down notes under the first of each rule's keys; `mail` is the one whose rejection takes them back.
  mutating func note(_ rules: [Rule], mail: (Rule) -> String?) throws {
    try rows.add(rules.map { LimitNote(key: $0.keys[0], at: now, mail: mail($0)) })
    for rule in rules {
      if let times = known[rule.keys] { known[rule.keys] = [now] + times }
    }
  }

  private mutating func newest(_ keys: [[UInt8]]) throws -> [Timestamp] {
    if let times = known[keys] { return times }
    let times = try rows.notes(LimitBook.few, skipping: 0, under: keys)
    known[keys] = times
    return times
  }

  /// The barrier that too many wrong codes in a row put up.
  func block(_ keys: [[UInt8]], _ policy: VerificationPolicy) throws -> Barrier? {
    guard let failures = try rows.failures(under: keys), failures.count >= policy.failures else { return nil }
    let until = min(failures.last, now) + policy.block
    return until > now ? Barrier(limit: .failures, until: until) : nil
  }

  /// One more wrong code; a row that a block ended begins anew.
  func addFailure(_ keys: [[UInt8]], _ policy: VerificationPolicy) throws {
    let before = try rows.failures(under: keys)
    let count = before.map { $0.count >= policy.failures ? 0 : $0.count } ?? 0
    try rows.set(FailureCount(count: count + 1, last: now), under: keys)
  }
}
