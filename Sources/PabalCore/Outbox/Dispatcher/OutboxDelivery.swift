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
        guard recipient.outcome == .rejected, !suitedRecipients.contains(recipient.address) else {
          return recipient
        }
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
      return .retry(
        min(wait ?? options.heldRetry.wait(after: holds, jitter: jitter), options.heldRetry.longestWait))
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

extension Dispatcher {
  /// Makes the attempts on a claimed mail, and settles it.
  ///
  /// `isProbe`: the first attempt shows whether its transport works again; `isAlone`: somebody waits for
  /// this mail and nothing else; `routeGeneration`: which of the routes `candidates` are of.
  func handOver(
    _ entry: OutboxEntry, _ known: OutboxContent?, over candidates: [DispatchTransport], isPartial: Bool,
    routeGeneration: Int,
    isProbe: Bool, isAlone: Bool
  ) async {
    var isSendExpected = true
    defer { if isSendExpected { adjustExpectedSends(-1, of: candidates.first) } }
    let content: OutboxContent
    do {
      content = try known ?? OutboxContent(sealing.open(entry.content ?? [], id: entry.id), id: entry.id)
    } catch {
      report(.unreadable(id: entry.id))
      let wait = options.heldRetry.wait(after: entry.attempts, jitter: dependencies.jitter())
      await settle(
        OutboxSettlement(
          entry, .retry(due: dependencies.now() + wait, content: nil), hold: .mail, now: dependencies.now()),
        isAlone: isAlone)
      return
    }
    var delivery = OutboxDelivery(
      entry, content, over: candidates.map(\.name), isPartial: isPartial, options: options)
    let now = dependencies.now
    while let (index, mail) = delivery.next() {
      let candidate = candidates[index]
      let mayBegin = await mayBegin(
        entry, through: candidate, lane: isProbe && index == 0 ? .code : entry.lane,
        wait: isAlone ? options.interactivePaceWaitLimit : options.paceWaitLimit)
      if index == 0 {
        isSendExpected = false
        adjustExpectedSends(-1, of: candidate)
      }
      guard mayBegin else { break }
      let began = dependencies.instant()
      // The attempt may have to wait for its turn among the transport's own threads.
      let receipt = await candidate.transport.send(mail) { entry.notAfter.map { $0 <= now() } ?? false }
      guard let receipt else { break }
      let took = dependencies.instant() - began
      delivery.record(receipt, duration: took)
      await recordAttempt(receipt, of: entry.id, through: candidate.name, took: took)
    }
    if isProbe, let candidate = candidates.first,
      stateCache[candidate.name].probe?.until == entry.lease?.until
    {
      // No attempt was made: another mail may be the one.
      await updateStates { $0[candidate.name]?.dropProbe(of: entry.lease) }
    }
    let settlement = delivery.settlement(
      at: dependencies.now(), jitter: dependencies.jitter(),
      usedStaleRoute: routeGeneration != currentRouteGeneration
    ) { sealing.seal($0.bytes, id: entry.id) }
    await settle(settlement, isAlone: isAlone)
  }

  // MARK: Settling

  /// Takes down how it ended, however long the store refuses: a mail that was sent and isn't settled would
  /// be sent again. Where somebody waits for it there is an end to that.
  private func settle(_ settlement: OutboxSettlement, isAlone: Bool) async {
    var tries = 0
    while true {
      do throws(StorageError) {
        let settled = try await outbox.settle([settlement])
        if let entry = settled.first ?? nil {
          report(.settled(entry))
        } else {
          report(.lost(id: settlement.id))
        }
        return
      } catch {
        report(.storage(error))
        tries += 1
        if error.kind == .closed || (isFinishing && tries > 3)
          || (isAlone && tries >= options.maxSettlementTries)
        {
          if isAlone { unsettled[settlement.id] = error }
          if settlement.outcome != nil { report(.unsettled(id: settlement.id, error)) }
          return
        }
        await dependencies.sleep(.seconds(1))
      }
    }
  }
}

/// The digits that a reply begins with, `550 5.1.1` or `429`: what may be kept and shown of it.
///
/// The rest may hold addresses and stays sealed.
func replyStatus(_ reply: String?) -> String? {
  guard let reply else { return nil }
  let bytes = Array(reply.utf8.prefix(16))
  func isDigit(_ index: Int) -> Bool { bytes.indices.contains(index) && 0x30...0x39 ~= bytes[index] }
  // What a transport says in a reply's place may begin with an IP address, a number of seconds or of bytes.
  guard isDigit(0), isDigit(1), isDigit(2), 0x32...0x35 ~= bytes[0] else { return nil }
  guard bytes.count == 3 || " -\r\n".utf8.contains(bytes[3]) else { return nil }
  let code = String(decoding: bytes[..<3], as: UTF8.self)
  // RFC 3463: a class, a subject and a detail of up to three digits.
  guard bytes.count > 8 else { return code }
  let parts = bytes[4...].prefix { 0x30...0x39 ~= $0 || $0 == UInt8(ascii: ".") }
    .split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
  guard parts.count == 3, parts[0].count == 1, parts.allSatisfy({ 1...3 ~= $0.count }) else { return code }
  return "\(code) \(parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "."))"
}
