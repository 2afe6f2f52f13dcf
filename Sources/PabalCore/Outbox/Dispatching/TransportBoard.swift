/// What a process knows of the transports: what the outbox last said, and its own changes on their way there.
struct TransportBoard {
  /// A change of the states.
  typealias Change = @Sendable (inout [String: TransportState]) -> Void

  private(set) var states: [String: TransportState] = [:]
  private var underWay: [(number: Int, change: Change)] = []
  private var count = 0

  /// Makes a change that the outbox doesn't know yet; gives its number.
  mutating func begin(_ change: @escaping Change) -> Int {
    count += 1
    underWay.append((count, change))
    change(&states)
    return count
  }

  /// Takes over what the outbox says after change `number`, or, for `nil`, that it refused.
  mutating func end(_ number: Int, _ shared: [String: TransportState]?) {
    underWay.removeAll { $0.number == number }
    if let shared { adopt(shared) }
  }

  /// Takes over what the outbox says.
  mutating func adopt(_ shared: [String: TransportState]) {
    states = shared
    for (_, change) in underWay { change(&states) }
  }

  subscript(_ name: String) -> TransportState { states[name] ?? TransportState() }
}
