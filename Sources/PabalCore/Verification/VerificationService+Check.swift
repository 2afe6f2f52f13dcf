extension VerificationService {
  /// Checks whether `code`, as a person typed or pasted it, is the verification's. The attempt is counted before the
  /// codes are compared.
  ///
  /// Input that can't be a code, because of its length or because it contains letters, is a `mismatch` that costs no
  /// attempt, since it can't be used for guessing. `client` is the IP address of the person, as passed by an
  /// authenticated caller.
  public func check(
    _ id: String, code: String, client: String? = nil
  ) async throws(VerificationError) -> VerificationCheckResult {
    let client = try VerificationService.client(client)
    let code = VerificationCode.read(code, digits: policy.digits)
    let secret = RandomString.make(32, random)
    let now = now()
    let clientRule = clientCheckRule(client)
    return try await withOccasionalSweep(at: now) { () throws(VerificationError) in
      try await transact(verification: id) { record in
        var footprint = footprint(of: record)
        footprint.events = clientRule?.keys ?? []
        // Without its keys a recipient can't be read, and `check` ends before it looks at the failures.
        footprint.failures = (try? rateLimitKeys.failures(recipient(of: record), record.purpose)) ?? []
        return footprint
      } _: { transaction, record in
        try check(record, code, clientRule, proofSecret: secret, transaction, at: now)
      }
    }
  }

  private func check(
    _ record: VerificationRecord?, _ code: String?, _ clientRule: VerificationRateLimiter.Rule?,
    proofSecret: String, _ transaction: any VerificationTransaction, at now: Timestamp
  ) throws -> VerificationCheckResult {
    var record = try own(record)
    if let clientRule { try enforce(clientRule, transaction, at: now) }
    if record.clampFutureTimes(at: now, lifetime: policy.lifetime) { try transaction.update(record) }
    if let outcome = VerificationService.finalOutcome(record.state(at: now)) {
      return result(outcome, record, 0, at: now)
    }
    let recipient = try recipient(of: record)
    let failures = rateLimitKeys.failures(recipient, record.purpose)
    let limiter = limiter(transaction, at: now)
    if let block = try limiter.failureBlock(failures, policy), record.created <= block.last {
      // A start is possible again at the latest when this code has expired.
      throw VerificationError.limited(.failures, retryAfter: min(block.until, record.expires) - now)
    }
    let siblings = try siblings(of: record, transaction, at: now)
    let others = siblings.reduce(0) { $0 + $1.attempts }
    guard let code else { return result(.mismatch, record, others, at: now) }
    let limit = policy.attempts - others
    guard let attempt = try transaction.takeAttempt(record.id, atMost: limit) else {
      return result(.exhausted, record, others, at: now)
    }
    record.attempts = attempt
    let outcome = compare(code, record, recipient)
    var proof: String?
    switch outcome {
    case .approved:
      proof = "\(record.id).\(proofSecret)"
      record.proof = keys.proofDigest([Array(record.id.utf8), Array(proofSecret.utf8)])
      record.transition(to: .approved, at: now)
      try transaction.set(nil, under: failures)
    case .mismatch: try limiter.addFailure(failures, policy)
    default: break
    }
    if record.state == .pending, attempt >= limit {
      record.transition(to: .exhausted, at: now)
      for var sibling in siblings {
        sibling.transition(to: .exhausted, at: now)
        try transaction.update(sibling)
      }
    }
    try transaction.update(record)
    return result(outcome, record, others, proof: proof, at: now)
  }

  /// Exchanges a proof for the address that it proves. A proof can be redeemed once, within `policy.proofLifetime`.
  ///
  /// A proof of another purpose than `purpose`, if that isn't `nil`, is refused and stays valid.
  public func redeem(
    _ proof: String, purpose: String? = nil
  ) async throws(VerificationError) -> ProvenAddress {
    if let purpose { try VerificationService.check(purpose: purpose) }
    let parts = proof.utf8.count <= 128 ? proof.split(separator: ".", omittingEmptySubsequences: false) : []
    guard parts.count == 2 else { throw .proof(.unknown) }
    let (id, secret) = (String(parts[0]), String(parts[1]))
    let now = now()
    return try await transact(verification: id) {
      footprint(of: $0)
    } _: { transaction, record in
      guard var record, caller.mayUse(record.caller), let digest = record.proof,
        keys.proofDigest(digest, matches: [Array(id.utf8), Array(secret.utf8)])
      else { throw VerificationError.proof(.unknown) }
      if let purpose, purpose != record.purpose { throw VerificationError.proof(.otherPurpose) }
      guard record.state == .approved else { throw VerificationError.proof(.redeemed) }
      _ = record.clampFutureTimes(at: now, lifetime: policy.lifetime)
      let approved = record.ended ?? now
      guard now < approved + policy.proofLifetime else { throw VerificationError.proof(.expired) }
      record.transition(to: .consumed, at: now)
      try transaction.update(record)
      return ProvenAddress(
        id: id, purpose: record.purpose, address: try recipient(of: record).address, approved: approved)
    }
  }

  /// Returns the outcome of every check in a final state, or `nil` for `pending`.
  private static func finalOutcome(_ state: VerificationState) -> VerificationOutcome? {
    switch state {
    case .pending: nil
    case .approved, .consumed: .alreadyApproved
    case .exhausted: .exhausted
    case .expired: .expired
    case .cancelled: .cancelled
    case .superseded: .superseded
    case .undeliverable: .undeliverable
    }
  }

  private func compare(
    _ code: String, _ record: VerificationRecord, _ recipient: VerificationRecipient
  ) -> VerificationOutcome {
    func isCode(_ digest: [UInt8], _ id: String, _ generation: Int) -> Bool {
      keys.codeDigest(
        digest,
        matches: VerificationService.codeDigestInput(
          of: code, purpose: record.purpose, recipient: recipient, id: id, generation: generation))
    }
    if isCode(record.code, record.id, record.generation) { return .approved }
    let isEarlier = record.earlier.contains { isCode($0.digest, $0.id, $0.generation) }
    return isEarlier ? .superseded : .mismatch
  }

  private func clientCheckRule(_ client: ClientAddress?) -> VerificationRateLimiter.Rule? {
    guard let client, !policy.clientChecks.isEmpty else { return nil }
    return VerificationRateLimiter.Rule(
      limit: .client, keys: rateLimitKeys.checks(client), rateLimits: policy.clientChecks)
  }

  private func enforce(
    _ rule: VerificationRateLimiter.Rule, _ transaction: any VerificationTransaction, at now: Timestamp
  ) throws {
    var limiter = limiter(transaction, at: now)
    try limiter.clampFutureTimes([rule])
    if let block = try limiter.block([rule]) {
      throw VerificationError.limited(.client, retryAfter: block.until - now)
    }
    try limiter.recordEvents([rule]) { _ in nil }
  }

  private func result(
    _ outcome: VerificationOutcome, _ record: VerificationRecord, _ otherAttempts: Int, proof: String? = nil,
    at now: Timestamp
  ) -> VerificationCheckResult {
    let isPending = record.state(at: now) == .pending
    return VerificationCheckResult(
      outcome: outcome,
      attemptsRemaining: isPending ? max(policy.attempts - record.attempts - otherAttempts, 0) : 0,
      proof: proof, purpose: record.purpose, language: record.language, age: now - record.created)
  }
}
