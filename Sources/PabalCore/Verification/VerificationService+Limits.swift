// The limits of starts and resends.
extension VerificationService {
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
  /// mail in each lifetime of a code. `mails` are the digests of the recipient and purpose.
  func enforce(
    _ rules: [VerificationRateLimiter.Rule], _ mails: [[UInt8]], _ failures: [[UInt8]],
    _ limiter: inout VerificationRateLimiter
  ) throws -> Bool {
    try limiter.clampFutureTimes(VerificationService.counted(rules))
    var blocks = [try limiter.block(rules)].compactMap(\.self)
    let isBeyondCap = limiter.isBeyondCap
    let failureBlock = try limiter.failureBlock(failures, policy)
    if let failureBlock, let newest = try limiter.newest(mails).first {
      let until = min(failureBlock.until, newest + policy.lifetime)
      if until > limiter.now { blocks.append(VerificationRateLimiter.Block(limit: .failures, until: until)) }
    }
    if let last = blocks.max(by: { $0.until < $1.until }) {
      throw VerificationError.limited(last.limit, retryAfter: last.until - limiter.now)
    }
    return isBeyondCap || failureBlock != nil
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
  /// The footprint of a mail that is sent by `rules`.
  init(
    identities: [[UInt8]], _ rules: [VerificationRateLimiter.Rule], failures: [[UInt8]],
    verification: String, mail: String, _ request: IdempotentRequest?
  ) {
    var events: [[UInt8]] = []
    var sharedEvents: [[UInt8]] = []
    for rule in rules where rule.limit != .cooldown {
      if rule.limit == .overall { sharedEvents += rule.keys } else { events += rule.keys }
    }
    self.init(
      identities: identities, events: events, sharedEvents: sharedEvents, failures: failures,
      verifications: [verification],
      outbox: OutboxFootprint(requests: request?.footprint ?? [], mails: [mail]))
  }
}
