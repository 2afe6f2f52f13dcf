extension VerificationService {
  /// Says whether `code`, as a person typed or pasted it, is the verification's; counts the attempt first.
  ///
  /// What can't be a code, too short or with letters in it, is a `mismatch` that costs nothing: nobody can
  /// guess by it. `client` is the IP address of whoever asks, as an authenticated caller passes it.
  public func check(
    _ id: String, code: String, client: String? = nil
  ) async throws(VerificationError) -> VerificationCheckResult {
    let client = try VerificationService.client(client)
    let code = VerificationCode.read(code, digits: policy.digits)
    let secret = RandomString.make(32, random)
    let now = now()
    let sweep = occasionalSweep(at: now)
    return try await transact { rows in
      if let sweep { _ = try rows.sweep(sweep) }
      guard var record = try rows.verification(id) else { throw VerificationError.unknown }
      if let client { try checkClientLimit(client, rows, at: now) }
      if record.clampFutureTimes(at: now, lifetime: policy.lifetime) { try rows.update(record) }
      if let outcome = VerificationService.finalOutcome(record.state(at: now)) {
        return answer(outcome, record, at: now)
      }
      let recipient = try recipient(of: record)
      let failures = rateLimitKeys.failures(recipient, record.purpose)
      let limiter = VerificationRateLimiter(rows: rows, now: now)
      if let block = try limiter.block(failures, policy) {
        throw VerificationError.limited(.failures, retryAfter: block.until - now)
      }
      guard let code else { return answer(.mismatch, record, at: now) }
      guard let attempt = try rows.takeAttempt(id, atMost: policy.attempts) else {
        return answer(.exhausted, record, at: now)
      }
      record.attempts = attempt
      let outcome = compare(code, record, recipient)
      var proof: String?
      switch outcome {
      case .approved:
        proof = "\(id).\(secret)"
        record.proof = keys.proofDigest([Array(id.utf8), Array(secret.utf8)])
        record.transition(to: .approved, at: now)
        try rows.set(nil, under: failures)
      case .mismatch: try limiter.addFailure(failures, policy)
      default: break
      }
      if record.state == .pending, attempt >= policy.attempts { record.transition(to: .exhausted, at: now) }
      try rows.update(record)
      return answer(outcome, record, proof: proof, at: now)
    }
  }

  /// Takes a proof for what it proves, once and within its time.
  public func redeem(_ proof: String) async throws(VerificationError) -> ProvenAddress {
    let parts = proof.utf8.count <= 128 ? proof.split(separator: ".", omittingEmptySubsequences: false) : []
    guard parts.count == 2 else { throw .proof(.unknown) }
    let (id, secret) = (String(parts[0]), String(parts[1]))
    let now = now()
    return try await transact { rows in
      guard var record = try rows.verification(id), let digest = record.proof,
        keys.proofDigest(digest, matches: [Array(id.utf8), Array(secret.utf8)])
      else { throw VerificationError.proof(.unknown) }
      guard record.state == .approved else { throw VerificationError.proof(.redeemed) }
      _ = record.clampFutureTimes(at: now, lifetime: policy.lifetime)
      let approved = record.ended ?? now
      guard now < approved + policy.proofLifetime else { throw VerificationError.proof(.expired) }
      record.transition(to: .consumed, at: now)
      try rows.update(record)
      return ProvenAddress(
        id: id, purpose: record.purpose, address: try recipient(of: record).address, approved: approved)
    }
  }

  /// What any code is answered in a state that judges none.
  private static func finalOutcome(_ state: VerificationState) -> VerificationOutcome? {
    switch state {
    case .pending: nil
    case .approved, .consumed: .alreadyApproved
    case .exhausted: .exhausted
    case .expired: .expired
    case .cancelled: .cancelled
    case .superseded: .superseded
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

  private func checkClientLimit(
    _ client: ClientAddress, _ rows: any VerificationTransaction, at now: Timestamp
  ) throws {
    guard !policy.clientChecks.isEmpty else { return }
    var limiter = VerificationRateLimiter(rows: rows, now: now)
    let rule = VerificationRateLimiter.Rule(
      limit: .client, keys: rateLimitKeys.checks(client), rateLimits: policy.clientChecks)
    try limiter.clampFutureTimes([rule])
    if let block = try limiter.block([rule]) {
      throw VerificationError.limited(.client, retryAfter: block.until - now)
    }
    try limiter.recordEvents([rule]) { _ in nil }
  }

  private func answer(
    _ outcome: VerificationOutcome, _ record: VerificationRecord, proof: String? = nil, at now: Timestamp
  ) -> VerificationCheckResult {
    let isPending = record.state(at: now) == .pending
    return VerificationCheckResult(
      outcome: outcome, attemptsRemaining: isPending ? max(policy.attempts - record.attempts, 0) : 0,
      proof: proof, purpose: record.purpose, language: record.language, age: now - record.created)
  }
}
