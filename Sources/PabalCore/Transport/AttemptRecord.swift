internal import CPabalTransport

/// What a plugin reports during one call of `send` or `check`: the far end of its `pabal_attempt`.
///
/// Used by the one thread that makes the call, from before it until after it.
final class AttemptRecord {
  /// The accounts behind settings of kind account, by key.
  let accounts: [String: any AccessTokenSource]
  let recipientCount: Int
  var reply: String?
  var remoteID: String?
  var recipients: [(outcome: Outcome, reply: String?)?] = []
  /// What the host itself decided, when a token could not be had.
  var tokenOutcome: Outcome?
  /// What the plugin did against the contract.
  var contractViolation: String?
  private var tokenCopies: [UnsafeMutableBufferPointer<CChar>] = []

  init(accounts: [String: any AccessTokenSource], recipientCount: Int) {
    self.accounts = accounts
    self.recipientCount = recipientCount
  }

  deinit {
    for token in tokenCopies {
      token.update(repeating: 0)
      token.deallocate()
    }
  }

  func copyToken(_ token: AccessToken) -> UnsafePointer<CChar>? {
    let octets = token.text.utf8CString
    let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: octets.count)
    _ = copy.initialize(from: octets)
    tokenCopies.append(copy)
    return UnsafePointer(copy.baseAddress)
  }

  /// The receipt's entries, where a recipient without an outcome of its own shares the mail's.
  func receipt(_ verdict: pabal_verdict, for envelope: Envelope, transport: String) -> Receipt {
    let mailOutcome = tokenOutcome ?? Outcome(verdict)
    if mailOutcome == nil {
      contractViolation = "the plugin gave \(describe(verdict)); whether the mail left is not known"
    }
    if let contractViolation { reply = reply.map { "\($0)\n\(contractViolation)" } ?? contractViolation }
    var entries: [Receipt.Recipient] = []
    entries.reserveCapacity(envelope.recipients.count)
    for (index, address) in envelope.recipients.enumerated() {
      let own = index < recipients.count ? recipients[index] : nil
      entries.append(
        Receipt.Recipient(
          address: address, outcome: own?.outcome ?? mailOutcome ?? .unknown, reply: own?.reply ?? reply))
    }
    return Receipt(recipients: entries, reply: reply, remoteID: remoteID)
  }
}

extension Outcome {
  /// A plugin's verdict on a mail; `nil` when there is no such outcome.
  init?(_ verdict: pabal_verdict) {
    let wait: Duration? = verdict.retry_after > 0 ? .seconds(verdict.retry_after) : nil
    switch Int(verdict.outcome) {
    case PABAL_SENT: self = .sent
    case PABAL_DEFERRED: self = .deferred(retryAfter: wait)
    case PABAL_UNSUITED: self = .unsuited
    case PABAL_REJECTED: self = .rejected
    case PABAL_HELD where verdict.scope == PABAL_SCOPE_MAIL: self = .held(.mail, retryAfter: wait)
    case PABAL_HELD where verdict.scope == PABAL_SCOPE_TRANSPORT:
      self = .held(.transport, retryAfter: wait)
    case PABAL_UNKNOWN: self = .unknown
    default: return nil
    }
  }
}

/// A verdict that is none, in words.
func describe(_ verdict: pabal_verdict) -> String {
  switch Int(verdict.outcome) {
  case 0: "no outcome"
  case PABAL_HELD: "held without a scope"
  case PABAL_READY: "ready, which is for check alone"
  case PABAL_SENT: "sent, which is for send alone"
  default: "outcome \(verdict.outcome), which does not exist"
  }
}

/// A plugin's text: repaired where it is not UTF-8, escaped where it is not printable.
func printableText(_ text: UnsafePointer<CChar>?, _ length: Int) -> String? {
  guard let text, length > 0, length < 1 << 30 else { return nil }
  let octets = UnsafeRawBufferPointer(start: text, count: length)
  let shown = printable(String(decoding: octets, as: UTF8.self), lines: true)
  return shown.isEmpty ? nil : shown
}
