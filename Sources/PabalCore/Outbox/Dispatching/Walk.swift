/// One mail's walk over the transports that may be tried now, and what follows from it.
struct OutboxDelivery {
  private let entry: OutboxEntry
  private var content: OutboxContent
  // `nil` where nobody is left to be reached.
  private var delivery: Delivery?
  private let options: DispatcherOptions
  /// Whether some transports of the route are left out for now.
  private let isPartial: Bool
  /// The recipients of whom a transport said more than that it can't carry the mail.
  private var suitedRecipients: Set<Address> = []

  /// The walk of what is still to be reached.
  init(
    _ entry: OutboxEntry, _ content: OutboxContent, over names: [String], isPartial: Bool,
    options: DispatcherOptions
  ) {
    self.entry = entry
    self.content = content
    self.options = options
    self.isPartial = isPartial
    delivery = content.remaining.map { Delivery($0, route: names, unknown: entry.unknown) }
  }

  /// The next attempt to make.
  func next() -> (transport: Int, mail: Mail)? { delivery?.next() }

  /// Takes down how it ended.
  mutating func record(_ receipt: Receipt, duration: Duration) {
    delivery?.record(receipt, duration: duration)
    for recipient in receipt.recipients where recipient.outcome != .unsuited {
      suitedRecipients.insert(recipient.address)
    }
  }

  /// What follows from all attempts made; `usedStaleRoute` where the route is another one by now.
  mutating func settlement(
    at now: Timestamp, jitter: Double, usedStaleRoute: Bool = false, seal: (OutboxContent) -> [UInt8]
  ) -> OutboxSettlement {
    if let decided = content.decided {
      return OutboxSettlement(entry, .final(OutboxDelivery.state(decided)), outcome: decided.name, now: now)
    }
    guard let delivery, !delivery.attempts.isEmpty else {
      // Either it is too late, which putting it back finds out, or there was no transport to try.
      return OutboxSettlement(entry, .release, now: now)
    }
    var receipt = delivery.receipt
    if isPartial {
      receipt.recipients = receipt.recipients.map { recipient in
        // A transport that was left out may be able to carry it.
        guard recipient.outcome == .rejected, !suitedRecipients.contains(recipient.address) else { return recipient }
        return Receipt.Recipient(address: recipient.address, outcome: .deferred(), reply: recipient.reply)
      }
    }
    content.record(receipt, unknown: entry.unknown)
    let outcome = Outcome.combined(receipt.recipients.lazy.map(\.outcome)) ?? .deferred()
    let isRetriedOnNewRoute = usedStaleRoute && content.decided == nil && outcome.isOfTransport
    let decision = isRetriedOnNewRoute ? .retry(.zero) : decision(outcome, at: now, jitter: jitter)
    let result: OutboxSettlement.Result =
      switch decision {
      case .final(let state): .final(state)
      case .retry(let wait): .retry(due: now + wait, content: seal(content))
      }
    var hold: Outcome.Scope?
    if case .held(let scope, _) = outcome, case .retry = decision { hold = scope }
    // That nobody could carry it is the mail's fault or the route's, and no recipient's.
    let reportedOutcome: Outcome = outcome == .rejected && suitedRecipients.isEmpty ? .unsuited : outcome
    var settlement = OutboxSettlement(
      entry, result, transport: delivery.transport, outcome: reportedOutcome.name,
      status: replyStatus(receipt.recipients.first { $0.outcome == outcome }?.reply ?? receipt.reply),
      hold: hold,
      now: now)
    settlement.usedStaleRoute = isRetriedOnNewRoute
    return settlement
  }

  private static func state(_ decided: Outcome) -> OutboxState {
    switch decided {
    case .sent: .sent
    case .rejected: .rejected
    case .deferred, .unsuited, .held, .unknown: .unknown
    }
  }

  private enum Decision {
    case final(OutboxState)
    case retry(Duration)
  }

  private func decision(_ outcome: Outcome, at now: Timestamp, jitter: Double) -> Decision {
    if let decided = content.decided { return .final(OutboxDelivery.state(decided)) }
    switch outcome {
    case .held(.transport, _):
      // The transport's own state says when; until then nobody claims it.
      return .retry(.zero)
    case .held(.mail, let wait):
      let holds = max(1, entry.attempts - entry.failures)
      return .retry(min(wait ?? options.heldRetry.wait(after: holds, jitter: jitter), options.heldRetry.longestWait))
    case .unknown where entry.unknownAttempts + 1 >= options.maxUnknownAttempts:
      return .final(.unknown)
    case .sent, .deferred, .unsuited, .rejected, .unknown:
      let retryPolicy = options.retryPolicy(entry.lane)
      let failures = entry.failures + 1
      guard failures <= retryPolicy.maxRetries, now - entry.created < retryPolicy.maxAge else {
        return .final(.expired)
      }
      return .retry(retryPolicy.wait(after: failures, jitter: jitter))
    }
  }
}

extension Outcome {
  /// Whether another route may take at once what this one left undecided.
  fileprivate var isOfTransport: Bool {
    switch self {
    case .deferred, .held: true
    case .sent, .unsuited, .rejected, .unknown: false
    }
  }
}
