/// Changes of the route, and the mail that becomes due because of them.
struct RouteChange {
  /// How many mails become due in one call, few enough not to block the store for long.
  static let batchSize = 2_000

  /// Counts the changes. A delivery that began in an earlier generation used a stale route.
  private(set) var generation = 0
  // How many mails have become due since the change, while more may follow.
  private var expeditedCount: Int?

  /// Whether mail that waits because of a transport's answer is still to become due.
  var isExpediting: Bool { expeditedCount != nil }

  /// Begins a new generation, in which waiting mail becomes due.
  mutating func begin() {
    generation += 1
    expeditedCount = expeditedCount ?? 0
  }

  /// Records that a batch begun in `generation` made `count` mails due.
  ///
  /// Returns how many mails became due since the change if that was all of them, and `nil` if more may follow:
  /// the batch was full, or the route has changed again.
  mutating func recordBatch(of count: Int, begunIn generation: Int) -> Int? {
    let total = (expeditedCount ?? 0) + count
    let isComplete = count < RouteChange.batchSize && generation == self.generation
    expeditedCount = isComplete ? nil : total
    return isComplete ? total : nil
  }
}
