internal import Synchronization

/// The transport states as this process knows them: the latest answer of the outbox with the changes applied
/// that are still on their way to it.
struct TransportStateCache {
  /// A change of the states.
  typealias Change = @Sendable (inout [String: TransportState]) -> Void

  /// An answer of the outbox.
  struct Snapshot: Sendable {
    /// The number of the change it answers, in the order in which the outbox applied this process's changes.
    let sequence: Int
    /// The states after that change.
    let states: [String: TransportState]
  }

  private var states: [String: TransportState] = [:]
  private var latest = Snapshot(sequence: 0, states: [:])
  private var pendingChanges: [(number: Int, change: Change)] = []
  private var changeCount = 0

  /// The state of the transport `name`.
  subscript(name: String) -> TransportState { states[name] ?? TransportState() }

  /// Applies a change that the outbox does not know yet, and returns its number.
  mutating func begin(_ change: @escaping Change) -> Int {
    changeCount += 1
    pendingChanges.append((changeCount, change))
    change(&states)
    return changeCount
  }

  /// Ends change `number`: adopts the outbox's answer, or, for `nil`, reverts the change because the outbox
  /// refused it.
  mutating func end(_ number: Int, _ answer: Snapshot?) {
    pendingChanges.removeAll { $0.number == number }
    adopt(answer ?? latest)
  }

  /// Adopts an answer of the outbox, unless a later one has arrived before it.
  mutating func adopt(_ answer: Snapshot) {
    if answer.sequence > latest.sequence { latest = answer }
    states = latest.states
    for (_, change) in pendingChanges { change(&states) }
  }
}

/// Counts the changes of transport states in the order in which the outbox applies them.
final class ChangeSequence: Sendable {
  private let count = Atomic(0)

  /// Returns the next number.
  func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}

/// A change of transport states on its way to the outbox, with a result.
///
/// The outbox applies one change after the other, and may apply one several times. The last time counts.
final class SequencedChange<Value: Sendable>: Sendable {
  private let change: @Sendable (inout [String: TransportState]) -> Value
  private let counter: ChangeSequence
  private let applied = Mutex<(sequence: Int, value: Value)?>(nil)

  /// A change that takes its number from `counter`.
  init(_ counter: ChangeSequence, _ change: @escaping @Sendable (inout [String: TransportState]) -> Value) {
    self.change = change
    self.counter = counter
  }

  /// The result of the change, or `nil` if the outbox has not applied it.
  var value: Value? { applied.withLock { $0?.value } }

  /// Applies the change; called by the outbox.
  func apply(to states: inout [String: TransportState]) {
    let sequence = counter.next()
    let value = change(&states)
    applied.withLock { $0 = (sequence, value) }
  }

  /// The outbox's answer to the change.
  func snapshot(_ states: [String: TransportState]) -> TransportStateCache.Snapshot {
    TransportStateCache.Snapshot(sequence: applied.withLock { $0?.sequence } ?? 0, states: states)
  }
}
