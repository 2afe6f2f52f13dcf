internal import Synchronization

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

extension Dispatcher {
  func recordAttempt(_ receipt: Receipt, of id: String, through name: String, took: Duration) async {
    report(
      .attempted(
        id: id, transport: name, outcome: receipt.outcome, status: replyStatus(receipt.reply), took: took))
    let now = dependencies.now()
    let reply = receipt.reply ?? receipt.recipients.first { $0.outcome == receipt.outcome }?.reply
    var cause: [UInt8]?
    if case .held(.transport, _) = receipt.outcome, let reply {
      cause = sealing.seal(Array(reply.utf8), id: TransportState.sealID(name))
    }
    let (outcome, options, sealed) = (receipt.outcome, options, cause)
    let isRecipients = receipt.isOfRecipients
    var after = stateCache[name]
    after.record(outcome, isRecipients: isRecipients, at: now, by: options, cause: sealed)
    guard after != stateCache[name] else { return }
    await updateStates {
      $0[name, default: TransportState()].record(
        outcome, isRecipients: isRecipients, at: now, by: options, cause: sealed)
    }
  }

  /// Makes a change here at once, and in the outbox for all processes.
  func updateStates(_ change: @escaping TransportStateCache.Change) async {
    let number = stateCache.begin(change)
    reportHolds()
    do throws(StorageError) {
      stateCache.end(number, try await updateStoredStates(change))
      reportHolds()
    } catch {
      stateCache.end(number, nil)
      report(.storage(error))
    }
  }

  /// Makes a change in the outbox, and says where in the order of this process's changes it made it.
  func updateStoredStates(_ change: @escaping TransportStateCache.Change) async throws(StorageError)
    -> TransportStateCache.Snapshot
  {
    let sequence = ChangeSequence()
    let changeSequence = changeSequence
    let states = try await outbox.transports { states in
      // The outbox makes one change after the other; of one it makes twice the last time counts.
      sequence.value.store(changeSequence.value.add(1, ordering: .relaxed).newValue, ordering: .relaxed)
      change(&states)
    }
    return TransportStateCache.Snapshot(sequence: sequence.value.load(ordering: .relaxed), states: states)
  }

  /// Tells of transports that are held or work again, whichever process met that.
  private func reportHolds() {
    for candidate in route() {
      let state = stateCache[candidate.name]
      if state.heldSince != nil, reportedHolds.insert(candidate.name).inserted {
        let cause = state.cause.flatMap { try? sealing.open($0, id: TransportState.sealID(candidate.name)) }
        report(.held(transport: candidate.name, cause: cause.map { String(decoding: $0, as: UTF8.self) }))
      } else if state.heldSince == nil, reportedHolds.remove(candidate.name) != nil {
        report(.restored(transport: candidate.name))
      }
    }
  }
}

extension TransportState {
  /// The id under which the cause of a transport's being held is sealed.
  package static func sealID(_ name: String) -> String { "transport \(name)" }
}

extension Receipt {
  /// Whether a deferral is about a recipient, and so no fault of the transport's: another recipient was
  /// decided, or a reply says so.
  ///
  /// By RFC 3463 the subjects 1 and 2 (address, mailbox), 7 (policy: greylisting) but for a 421, which ends
  /// the session, and 5.3 (too many recipients); without a status a 450 (mailbox unavailable, RFC 5321, 4.2.3).
  var isOfRecipients: Bool {
    if recipients.contains(where: { $0.outcome == .sent || $0.outcome == .rejected }) { return true }
    return recipients.contains { recipient in
      guard let status = replyStatus(recipient.reply ?? reply) else { return false }
      let words = status.split(separator: " ")
      guard words.count == 2 else { return status == "450" }
      let parts = words[1].split(separator: ".")
      switch parts[1] {
      case "1", "2": return true
      case "7": return words[0] != "421"
      case "5": return parts[2] == "3"
      default: return false
      }
    }
  }
}

/// A count that changes of the transports' states share, or one of them has got.
final class ChangeSequence: Sendable {
  let value = Atomic(0)
}

/// Whether mail is handed to a transport, and why not.
public struct TransportCondition: Sendable, Hashable {
  /// Whether mail is handed to it.
  public enum Availability: String, Sendable, Hashable, CaseIterable {
    /// Yes.
    case open = "open"
    /// The next mail is, to see whether it works again.
    case trial = "trial"
    /// Not before `until`.
    case closed = "closed"
  }

  /// Its name in `config.json`.
  public let name: String
  /// Whether mail is handed to it.
  public let availability: Availability
  /// Until when it is left alone.
  public let until: Timestamp?
  /// Since when it is held, by its account's or the set-up's fault.
  public let heldSince: Timestamp?
  /// How many attempts in a row failed by its fault.
  public let failures: Int

  init(_ name: String, _ state: TransportState, at now: Timestamp) {
    self.name = name
    heldSince = state.heldSince
    failures = state.failures
    switch state.permission(at: now) {
    case .open: (availability, until) = (.open, nil)
    case .probe: (availability, until) = (.trial, nil)
    case .closed(let moment): (availability, until) = (.closed, moment)
    }
  }
}

extension Dispatcher {
  /// How the transports of the route are, in its order, as far as this process knows; before its first round it asks
  /// the outbox what others know.
  public func conditions() async -> [TransportCondition] {
    if lastSweep == nil { await refreshStates() }
    let now = dependencies.now()
    return route().map { TransportCondition($0.name, stateCache[$0.name], at: now) }
  }
}
