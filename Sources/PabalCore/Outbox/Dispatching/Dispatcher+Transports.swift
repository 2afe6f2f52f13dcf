internal import Synchronization

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
  func updateStoredStates(_ change: @escaping TransportStateCache.Change) async throws(StorageError) -> TransportStateCache.Snapshot {
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
