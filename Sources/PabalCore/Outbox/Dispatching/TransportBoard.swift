/// What a process knows of the transports: what the outbox last said, and its own changes on their way there.
struct TransportStateCache {
  /// A change of the states.
  typealias Change = @Sendable (inout [String: TransportState]) -> Void

  /// What the outbox said, and when it said so.
  struct Snapshot: Sendable {
    /// Counts the changes that the outbox has made for this process, in the order it made them.
    let sequence: Int
    let states: [String: TransportState]
  }

  private(set) var states: [String: TransportState] = [:]
  private var latest = Snapshot(sequence: 0, states: [:])
  private var pendingChanges: [(number: Int, change: Change)] = []
  private var count = 0

  /// Makes a change that the outbox doesn't know yet; gives its number.
  mutating func begin(_ change: @escaping Change) -> Int {
    count += 1
    pendingChanges.append((count, change))
    change(&states)
    return count
  }

  /// Takes over what the outbox says after change `number`, or, for `nil`, that it refused.
  mutating func end(_ number: Int, _ answer: Snapshot?) {
    pendingChanges.removeAll { $0.number == number }
    adopt(answer ?? latest)
  }

  /// Takes over what the outbox says; answers overtake each other, and the latest holds.
  mutating func adopt(_ answer: Snapshot) {
    if answer.sequence > latest.sequence { latest = answer }
    states = latest.states
    for (_, change) in pendingChanges { change(&states) }
  }

  subscript(_ name: String) -> TransportState { states[name] ?? TransportState() }
}
