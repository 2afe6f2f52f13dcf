/// One claimed mail on its way over the available transports, from the claim to the settlement.
///
/// Decides what to attempt and what follows; the dispatcher makes the attempts.
struct OutboxDelivery {
  /// Why the mail is delivered.
  enum Mode: Sendable {
    /// It is the queue's turn.
    case queued
    /// Its first attempt shows whether a paused transport works again.
    case probe
    /// A caller waits for this mail alone.
    case interactive
  }

  /// The mail as it was claimed.
  let entry: OutboxEntry
  /// The transports to try.
  let route: AvailableRoute
  /// Why it is delivered.
  let mode: Mode
  private let options: DispatcherOptions
  private var content: OutboxContent?
  // `nil` if no recipient is left to be reached.
  private var delivery: Delivery?
  // The recipients about whom a transport said more than that it can't carry the mail.
  private var suitedRecipients: Set<Address> = []
  private var isSendExpected = true
  // The places of the recipients that this delivery found on the suppression list.
  private var withheld: [Int] = []

  /// A delivery of `entry` over `route`; `open` comes next.
  init(_ entry: OutboxEntry, over route: AvailableRoute, _ mode: Mode, _ options: DispatcherOptions) {
    self.entry = entry
    self.route = route
    self.mode = mode
    self.options = options
  }

  // MARK: Attempts

  /// Begins with `content`, or, for `nil`, with the entry's content unsealed. Throws if it can't be unsealed or
  /// read.
  mutating func open(_ content: OutboxContent?, _ sealing: any ContentSealing) throws {
    let content = try content ?? OutboxContent(sealing.open(entry.content ?? [], id: entry.id), id: entry.id)
    self.content = content
    delivery = content.remaining.map {
      Delivery($0, route: route.transports.map(\.name), unknownPolicy: entry.unknown)
    }
  }

  /// Returns the next attempt to make, or `nil` if there is none.
  ///
  /// `lane` is the lane whose sends it may use: a probe may use those reserved for codes.
  func next() -> (transport: DispatchTransport, mail: Mail, lane: Lane)? {
    guard !entry.isGivenUp, let delivery, let (index, mail) = delivery.next() else { return nil }
    return (route.transports[index], mail, mode == .probe && index == 0 ? .code : entry.lane)
  }

  /// Returns, once, the transport of which the rate limiter expects a send for this mail.
  mutating func takeExpectedSend() -> String? {
    guard isSendExpected else { return nil }
    isSendExpected = false
    return route.first?.name
  }

  /// Records how the attempt returned by `next` ended.
  mutating func record(_ receipt: Receipt, duration: Duration) {
    delivery?.record(receipt, duration: duration)
    for recipient in receipt.recipients where recipient.outcome != .unsuited {
      suitedRecipients.insert(recipient.address)
    }
  }

  // MARK: Suppressed recipients

  /// The recipients without a final outcome.
  var pendingRecipients: [Address] { content?.remaining?.envelope.recipients ?? [] }

  /// The recipients for which an attempt of this delivery was accepted.
  var sentRecipients: [Address] {
    guard let delivery, !delivery.attempts.isEmpty else { return [] }
    return delivery.receipt.recipients.filter { $0.outcome == .sent }.map(\.address)
  }

  /// Returns the trace of the mail if this delivery sent it to anyone.
  func trace(_ trace: (Mail, String?) -> OutboxTrace?) -> OutboxTrace? {
    guard let content, let delivery, !sentRecipients.isEmpty else { return nil }
    return trace(content.mail, delivery.receipt.remoteID)
  }

  /// Decides recipients without an attempt: they are rejected, and the others are attempted.
  mutating func withhold(_ suppressed: [Address: Suppression]) {
    guard var content else { return }
    for (index, address) in content.mail.envelope.recipients.enumerated() {
      guard content.progress[index].final == nil, let suppression = suppressed[address] else { continue }
      content.progress[index].final = .rejected
      content.progress[index].reply = suppression.reply
      withheld.append(index)
    }
    self.content = content
    delivery = content.remaining.map {
      Delivery($0, route: route.transports.map(\.name), unknownPolicy: entry.unknown)
    }
  }

  /// Returns the marks of the recipients that were decided without an attempt.
  func marks(at now: Timestamp, _ sealing: any ContentSealing) -> [RecipientMark] {
    guard let content else { return [] }
    return withheld.map { index in
      let address = Array(content.mail.envelope.recipients[index].description.utf8)
      return RecipientMark(
        position: index, kind: .suppressed, sealed: sealing.seal(address, id: entry.id), at: now)
    }
  }

  /// Returns the settlement of a mail of which it isn't known who may get it: it waits for a moment.
  func postponedSettlement(at now: Timestamp) -> OutboxSettlement {
    OutboxSettlement(entry, .retry(due: now + .seconds(10), content: nil), now: now)
  }

  // MARK: Settlement

  /// Returns the settlement of a mail that `open` could not read: it waits for the right key.
  func unreadableSettlement(at now: Timestamp, jitter: Double) -> OutboxSettlement {
    let wait = options.heldRetry.wait(after: entry.attempts, jitter: jitter)
    return OutboxSettlement(entry, .retry(due: now + wait, content: nil), hold: .mail, now: now)
  }

  /// Returns what follows from the attempts made.
  ///
  /// `usedStaleRoute`: the route has changed since. A mail that the old route left undecided is then due at once.
  mutating func settlement(
    at now: Timestamp, jitter: Double, usedStaleRoute: Bool = false, reporter: DeliveryReporter,
    _ sealing: any ContentSealing
  ) -> OutboxSettlement {
    if let decided = content?.decided {
      return final(OutboxDelivery.state(decided), outcome: decided.name, at: now, reporter)
    }
    guard let delivery, var content, !delivery.attempts.isEmpty else {
      if entry.isGivenUp, let state = entry.requestedState {
        return final(state, outcome: nil, at: now, reporter)
      }
      // The mail has expired, in which case returning it to the queue ends it, or the route is empty.
      return OutboxSettlement(entry, .release, now: now)
    }
    let receipt = receipt(of: delivery)
    content.record(receipt, unknown: entry.unknown)
    let outcome = Outcome.combined(receipt.recipients.lazy.map(\.outcome)) ?? .deferred()
    let isRetriedOnNewRoute = usedStaleRoute && content.decided == nil && outcome.isOfTransport
    let decision =
      isRetriedOnNewRoute
      ? .retry(.zero)
      : reportDecision(outcome, jitter: jitter)
        ?? decision(outcome, content.decided, at: now, jitter: jitter)
    var hold: Outcome.Scope?
    let result: OutboxSettlement.Result
    let reports: [OutboxReport]
    switch decision {
    case .final(let state):
      reports = reporter.reports(&content, of: entry, ending: state, at: now)
      result = .final(state)
    case .retry(let wait):
      reports = reporter.reports(&content, of: entry, ending: nil, at: now)
      result = .retry(due: now + wait, content: sealing.seal(content.bytes, id: entry.id))
      if case .held(let scope, _) = outcome { hold = entry.reporting == .report ? .mail : scope }
    }
    // If every transport found the mail unsuited, no server rejected a recipient.
    var reportedOutcome: Outcome = outcome == .rejected && suitedRecipients.isEmpty ? .unsuited : outcome
    if case .final(.rejected) = decision, case .held = outcome { reportedOutcome = .rejected }
    var settlement = OutboxSettlement(
      entry, result, transport: delivery.transport, outcome: reportedOutcome.name,
      status: replyStatus(receipt.recipients.first { $0.outcome == outcome }?.reply ?? receipt.reply),
      hold: hold, now: now)
    settlement.usedStaleRoute = isRetriedOnNewRoute
    settlement.reports = reports
    return settlement
  }

  /// Returns the settlement of a mail on which no attempt was made, and none follows.
  private mutating func final(
    _ state: OutboxState, outcome: String?, at now: Timestamp, _ reporter: DeliveryReporter
  ) -> OutboxSettlement {
    var settlement = OutboxSettlement(entry, .final(state), outcome: outcome, now: now)
    if var content {
      settlement.reports = reporter.reports(&content, of: entry, ending: state, at: now)
    }
    return settlement
  }

  /// The receipt over all attempts. A recipient that every tried transport found unsuited is deferred while the
  /// route is partial, because a transport that was left out may be able to carry the mail.
  private func receipt(of delivery: Delivery) -> Receipt {
    var receipt = delivery.receipt
    guard route.isPartial else { return receipt }
    receipt.recipients = receipt.recipients.map { recipient in
      guard recipient.outcome == .rejected, !suitedRecipients.contains(recipient.address) else {
        return recipient
      }
      return Receipt.Recipient(address: recipient.address, outcome: .deferred(), reply: recipient.reply)
    }
    return receipt
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

  /// Returns what follows for a report that is held; `nil` for anything else.
  ///
  /// Some servers refuse the null sender by codes that say that the account may not send, which nothing changes. So the
  /// report is rejected instead of being held, and waits by itself where the account seems to be at fault.
  private func reportDecision(_ outcome: Outcome, jitter: Double) -> Decision? {
    guard entry.reporting == .report, case .held(let scope, let wait) = outcome else { return nil }
    if scope == .mail, !route.isPartial { return .final(.rejected) }
    let holds = max(1, entry.attempts - entry.failures)
    return .retry(
      min(wait ?? options.heldRetry.wait(after: holds, jitter: jitter), options.heldRetry.longestWait))
  }

  private func decision(
    _ outcome: Outcome, _ decided: Outcome?, at now: Timestamp, jitter: Double
  ) -> Decision {
    if let decided { return .final(OutboxDelivery.state(decided)) }
    switch outcome {
    case .held(.transport, _):
      // The transport's state decides when: the mail is not claimed before.
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
  /// Whether another route may take the mail at once after this outcome.
  fileprivate var isOfTransport: Bool {
    switch self {
    case .deferred, .held: true
    case .sent, .unsuited, .rejected, .unknown: false
    }
  }
}

/// Returns the status codes that a reply begins with, such as `550 5.1.1` or `429`.
///
/// They may be stored and shown in clear; the rest of a reply may contain addresses and stays sealed.
func replyStatus(_ reply: String?) -> String? {
  guard let reply else { return nil }
  let bytes = Array(reply.utf8.prefix(16))
  func isDigit(_ index: Int) -> Bool { bytes.indices.contains(index) && 0x30...0x39 ~= bytes[index] }
  // A transport's own text may begin with an IP address, a number of seconds or of bytes.
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
