/// The limits of one start or resend.
struct SendLimits: Sendable {
  var rules: [VerificationRateLimiter.Rule]
  /// The digests of the recipient and purpose.
  var mails: [[UInt8]]
  /// The digests of the recipient for all purposes.
  var mailbox: [[UInt8]]
  /// The digests of the recipient's and purpose's wrong codes.
  var failures: [[UInt8]]

  /// The first digest of each rule.
  var ruleKeys: [[UInt8]] { rules.map { $0.keys[0] } }

  /// The first digests of the rules of a limit; of the recipient for wrong codes.
  func ruleKeys(of limit: VerificationLimit) -> [[UInt8]] {
    limit == .failures ? [mails[0]] : rules.filter { $0.limit == limit }.map { $0.keys[0] }
  }
}

// The limits of starts and resends.
extension VerificationService {
  /// The limits of a mail to a recipient. `quota` is the maximum of all mails in a day.
  func sendLimits(
    _ recipient: VerificationRecipient, _ purpose: String, _ client: ClientAddress?, quota: Int?
  ) -> SendLimits {
    let mails = rateLimitKeys.recipient(recipient, purpose)
    let mailbox = rateLimitKeys.mailbox(recipient)
    return SendLimits(
      rules: sendRules(mails, mailbox, quota: quota) + clientRules(client, recipient, purpose),
      mails: mails, mailbox: mailbox, failures: rateLimitKeys.failures(recipient, purpose))
  }

  /// The rules for a person's address: how much it may start, and how many mails it may cause to this recipient.
  func clientRules(
    _ client: ClientAddress?, _ recipient: VerificationRecipient, _ purpose: String
  ) -> [VerificationRateLimiter.Rule] {
    guard let client else { return [] }
    var rules: [VerificationRateLimiter.Rule] = []
    if !policy.clientStarts.isEmpty {
      rules.append(
        VerificationRateLimiter.Rule(
          limit: .client, keys: rateLimitKeys.starts(client), rateLimits: policy.clientStarts))
    }
    if !policy.recipient.isEmpty {
      rules.append(
        VerificationRateLimiter.Rule(
          limit: .recipient, keys: rateLimitKeys.recipient(recipient, purpose, by: client),
          rateLimits: policy.recipient))
    }
    return rules
  }

  /// The rules of `limits` for a resend at any client's request.
  func resendRules(_ limits: SendLimits) -> [VerificationRateLimiter.Rule] {
    sendRules(limits.mails, limits.mailbox, quota: policy.quota)
  }

  func resendRules(_ record: VerificationRecord, _ recipient: VerificationRecipient)
    -> [VerificationRateLimiter.Rule]
  {
    sendRules(
      rateLimitKeys.recipient(recipient, record.purpose), rateLimitKeys.mailbox(recipient),
      quota: policy.quota)
  }

  /// The rules for events under the digests of a recipient: for one purpose, and for all purposes.
  func sendRules(
    _ mails: [[UInt8]], _ mailbox: [[UInt8]], quota: Int?
  ) -> [VerificationRateLimiter.Rule] {
    var rules = [
      VerificationRateLimiter.Rule(
        limit: .cooldown, keys: mails, rateLimits: [RateLimit(1, per: policy.cooldown)]),
      VerificationRateLimiter.Rule(
        limit: .recipient, keys: mails, rateLimits: policy.recipient, isShared: true),
      VerificationRateLimiter.Rule(
        limit: .recipient, keys: mailbox, rateLimits: policy.mailbox, isShared: true, countsRefunds: true),
    ]
    if let quota {
      rules.append(
        VerificationRateLimiter.Rule(
          limit: .overall, keys: rateLimitKeys.overall(),
          rateLimits: [RateLimit(quota, per: VerificationPolicy.day)]))
    }
    return rules
  }

  /// Throws if a limit refuses the mail. Returns whether the mail is beyond a limit of its recipient, which allows one
  /// mail in each lifetime of a code.
  func enforce(_ limits: SendLimits, _ limiter: inout VerificationRateLimiter) throws -> Bool {
    try limiter.clampFutureTimes(VerificationService.counted(limits.rules))
    return try judge(limits, &limiter)
  }

  /// Throws if a limit would refuse the mail, without writing. The transaction that stores the mail decides again.
  ///
  /// It doesn't judge by events dated after `now`, because a refusal by them lasts until a transaction moves them back.
  func refuse(
    _ limits: SendLimits, _ transaction: any VerificationTransaction, at now: Timestamp
  ) throws {
    var limiter = limiter(transaction, at: now)
    for rule in limits.rules {
      if let newest = try limiter.newest(rule.keys).first, newest > now { return }
    }
    _ = try judge(limits, &limiter)
  }

  private func judge(_ limits: SendLimits, _ limiter: inout VerificationRateLimiter) throws -> Bool {
    var blocks = [try limiter.block(limits.rules)].compactMap(\.self)
    let isBeyondCap = limiter.isBeyondCap
    let failureBlock = try limiter.failureBlock(limits.failures, policy)
    if let failureBlock, let newest = try limiter.newest(limits.mails).first {
      let until = min(failureBlock.until, newest + policy.lifetime)
      if until > limiter.now { blocks.append(VerificationRateLimiter.Block(limit: .failures, until: until)) }
    }
    if let last = blocks.max(by: { $0.until < $1.until }) {
      throw VerificationError.limited(last.limit, retryAfter: last.until - limiter.now)
    }
    return isBeyondCap || failureBlock != nil
  }

  /// Runs a start, and remembers which limit refused it or refuses the next one.
  func remembering(
    _ limits: SendLimits, at now: Timestamp,
    _ start: () async throws(VerificationError) -> (Verification, next: VerificationRateLimiter.Block?)?
  ) async throws(VerificationError) -> Verification? {
    do throws(VerificationError) {
      let started = try await start()
      if let next = started?.next { recentRefusals.add(limits.ruleKeys(of: next.limit), until: next.until) }
      return started?.0
    } catch {
      if case .limited(let limit, let wait?) = error {
        recentRefusals.add(limits.ruleKeys(of: limit), until: now + wait)
      }
      throw error
    }
  }

  /// Records the events of a mail. A rejection of the mail deletes those that count mails; those of a client stay.
  func recordEvents(
    _ rules: [VerificationRateLimiter.Rule], _ limiter: inout VerificationRateLimiter, mail: String
  ) throws {
    try limiter.recordEvents(VerificationService.counted(rules)) { $0.limit == .client ? nil : mail }
  }

  /// The rules with events of their own: the cooldown counts the events of the recipient's caps.
  static func counted(_ rules: [VerificationRateLimiter.Rule]) -> [VerificationRateLimiter.Rule] {
    rules.filter { $0.limit != .cooldown }
  }
}

extension VerificationFootprint {
  /// The footprint of a mail within `limits`.
  init(
    identities: [[UInt8]], _ limits: SendLimits, verification: String, mail: String,
    _ request: IdempotentRequest?
  ) {
    var events: [[UInt8]] = []
    var sharedEvents: [[UInt8]] = []
    for rule in limits.rules where rule.limit != .cooldown {
      if rule.limit == .overall { sharedEvents += rule.keys } else { events += rule.keys }
    }
    self.init(
      identities: identities, events: events, sharedEvents: sharedEvents, failures: limits.failures,
      verifications: [verification],
      outbox: OutboxFootprint(requests: request?.footprint ?? [], mails: [mail]))
  }
}
