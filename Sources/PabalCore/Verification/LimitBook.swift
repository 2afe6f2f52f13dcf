/// The limits as the notes in the store have them at one moment.
struct LimitBook {
  let rows: any VerificationRows
  let now: Timestamp

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
  func barrier(_ rules: [Rule]) throws -> Barrier? {
    var last: Barrier?
    // Rules that count the same notes share one look at them.
    var known: (keys: [[UInt8]], times: [Timestamp])?
    for rule in rules {
      for cap in rule.caps where cap.window > .zero {
        // A cap is full as long as the note that many places back is within the window.
        guard cap.count > 0 else { return Barrier(limit: rule.limit, until: now + cap.window) }
        let note: Timestamp?
        if cap.count <= LimitBook.few {
          if known?.keys != rule.keys {
            known = (rule.keys, try self.rows.notes(LimitBook.few, skipping: 0, under: rule.keys))
          }
          note = known.flatMap { $0.times.count >= cap.count ? $0.times[cap.count - 1] : nil }
        } else {
          note = try self.rows.notes(1, skipping: cap.count - 1, under: rule.keys).first
        }
        guard let note else { continue }
        // The clock may have been set back since.
        let until = min(note, now) + cap.window
        if until > now, until > last?.until ?? now { last = Barrier(limit: rule.limit, until: until) }
      }
    }
    return last
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
