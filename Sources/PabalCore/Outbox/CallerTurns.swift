/// Lets callers take turns within a lane, so that the mail of one doesn't wait behind all the mail of another.
package struct CallerTurns: Sendable {
  private struct Queue: Hashable {
    var lane: Lane
    var routes: OutboxClaim.Routes
  }

  // The number of each caller's last turn, for those with waiting mail at the last claim.
  private var last: [Queue: [String: UInt64]] = [:]
  private var count: UInt64 = 0

  /// Callers that haven't had a turn yet.
  package init() {}

  /// Returns up to `limit` elements of `queues`, one of each caller in turn, beginning with the caller whose last turn is
  /// the longest ago. Each queue is in its own order; callers without a turn so far keep the order of the queues.
  package mutating func take<Element>(
    _ limit: Int, of lane: Lane, routes: OutboxClaim.Routes = .all,
    from queues: [(caller: String, waiting: [Element])]
  ) -> [Element] {
    // Each route has turns of its own, because the mail of others doesn't wait for it.
    let queue = Queue(lane: lane, routes: routes)
    let known = last[queue] ?? [:]
    var rest = queues.map { (caller: $0.caller, waiting: $0.waiting[...], turn: known[$0.caller] ?? 0) }
    // The sort is stable.
    rest.sort { $0.turn < $1.turn }
    var taken: [Element] = []
    while taken.count < limit, rest.contains(where: { !$0.waiting.isEmpty }) {
      for index in rest.indices where taken.count < limit {
        guard let element = rest[index].waiting.popFirst() else { continue }
        taken.append(element)
        count += 1
        rest[index].turn = count
      }
    }
    // The routes change with the configuration.
    if last.count > 1_000 { last = [:] }
    last[queue] = Dictionary(rest.map { ($0.caller, $0.turn) }) { $1 }
    return taken
  }
}
