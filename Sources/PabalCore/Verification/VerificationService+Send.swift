extension VerificationService {
  /// Sends a code to `address`, and supersedes an earlier verification of the same address and purpose.
  ///
  /// - Parameters:
  ///   - address: The recipient, such as `kim@example.com`.
  ///   - purpose: What the code is for, 1 to 64 letters, digits, `-`, `_` or `.`. A code is valid for one purpose
  ///     only.
  ///   - languages: The preferred languages, the best first (BCP 47).
  ///   - message: The name of the message; by default the policy's for a code or for a notice.
  ///   - variables: Values for the message's variables.
  ///   - notice: Sends a message without a code, for example because the address is already registered. The result
  ///     looks like any other verification, but no code approves it.
  ///   - client: The IP address of the person, as passed by an authenticated caller. Without it, no limit for
  ///     clients applies.
  public func start(
    to address: String, purpose: String = "sign-up", languages: [String] = [], message: String? = nil,
    variables: [String: String] = [:], notice: Bool = false, client: String? = nil
  ) async throws(VerificationError) -> Verification {
    try await start(
      to: address, purpose: purpose, languages: languages, message: message, variables: variables,
      notice: notice, client: client, idempotencyKey: nil
    ).value
  }

  /// Sends a code to `address`, or returns the verification that an earlier request with the same key and payload
  /// started, in its current state, without sending or counting anything.
  ///
  /// Throws `.unknown` if the verification behind `key` has been deleted. A rejected start does not consume the key.
  public func start(
    to address: String, purpose: String = "sign-up", languages: [String] = [], message: String? = nil,
    variables: [String: String] = [:], notice: Bool = false, client: String? = nil,
    idempotencyKey key: IdempotencyKey?
  ) async throws(VerificationError) -> IdempotentResult<Verification> {
    let recipient = try VerificationService.recipient(address)
    let client = try VerificationService.client(client)
    try VerificationService.check(purpose: purpose)
    let languages = try VerificationService.ranges(languages)
    let request = StoredVerificationRequest(
      message: message ?? (notice ? policy.notice : policy.message), languages: languages,
      variables: variables, isNotice: notice)
    let encodedRequest = request.bytes
    guard encodedRequest.count <= StoredVerificationRequest.sizeLimit else {
      throw .input(
        field: "variables", message: "longer than \(StoredVerificationRequest.sizeLimit) bytes together")
    }

    let idempotentRequest = key.map { IdempotentRequest($0, .start, keys: keys) }
    // Derived once, because a rotation of the keys meanwhile would change the digests that the footprint names.
    let identity = rateLimitKeys.identity(recipient, purpose)
    let limits = sendLimits(recipient, purpose, client, quota: policy.startQuota)
    while true {
      let now = now()
      if let earlier = try await earlier(idempotentRequest, orRefuseBy: limits, at: now) {
        return IdempotentResult(value: earlier, isReplay: true)
      }
      let id = RandomString.id(at: now, random)
      let preparedMail = try catchingConfiguredMessage(message == nil, notice) {
        () throws(VerificationError) -> PreparedMail in
        try self.preparedMail(
          request, id: id, purpose: purpose, recipient: recipient, generation: 1, ownedBy: caller.storedName,
          at: now)
      }
      let record = VerificationRecord(
        id: id, purpose: purpose, identity: identity[0], mailbox: limits.mailbox[0],
        caller: caller.storedName,
        recipient: keys.seal(Array(recipient.address.description.utf8), id: "recipient \(id)"),
        request: keys.seal(encodedRequest, id: "request \(id)"), code: preparedMail.digest, created: now,
        codeCreated: now,
        expires: preparedMail.expires, mail: preparedMail.entry.id, language: preparedMail.language)
      let started = try await remembering(limits, at: now) { () throws(VerificationError) in
        try await start(record, identity, limits, preparedMail, recipient, idempotentRequest, at: now)
      }
      if let started { return IdempotentResult(value: started, isReplay: false) }
    }
  }

  /// Returns the verification and the limit that refuses the next start; `nil` if a concurrent request with the same key
  /// was first.
  private func start(
    _ record: VerificationRecord, _ identity: [[UInt8]], _ limits: SendLimits,
    _ preparedMail: PreparedMail, _ recipient: VerificationRecipient,
    _ idempotentRequest: IdempotentRequest?, at now: Timestamp
  ) async throws(VerificationError) -> (Verification, next: VerificationRateLimiter.Block?)? {
    let resends = policy.sends > 1 ? resendRules(limits) : nil
    let footprint = VerificationFootprint(
      identities: identity, limits, verification: record.id, mail: record.mail, idempotentRequest)
    return try await withOccasionalSweep(at: now) { () throws(VerificationError) in
      try await send(preparedMail, footprint: footprint) { entry, transaction in
        if let idempotentRequest, try idempotentRequest.priorResult(transaction, at: now) != .none {
          return nil
        }
        var limiter = limiter(transaction, at: now)
        let isBeyondLimit = try enforce(limits, &limiter)
        var record = record
        var attempts = 0
        var kept = 0
        for var older in try transaction.pending(identity) where older.caller == record.caller {
          _ = older.clampFutureTimes(at: now, lifetime: policy.lifetime)
          let isLive = older.state(at: now) == .pending
          if isLive, kept < policy.simultaneous - 1 {
            kept += 1
            attempts += older.attempts
            continue
          }
          // A code of the older verification, typed for this one, is answered with `superseded`.
          if isLive {
            record.earlier = Array(
              (older.replacedCodes + record.earlier).prefix(VerificationRecord.earlierLimit))
          }
          older.transition(to: isLive ? .superseded : .expired, at: isLive ? now : older.expires)
          try transaction.update(older)
          try transaction.supersedeMail(of: older.id, newest: nil, at: now)
        }
        // Beyond the limits of a recipient a code can be entered once, so that the mails which can't be refused without
        // locking the address out are of little use for guessing.
        if isBeyondLimit, kept == 0 { record.attempts = policy.attempts - 1 }
        try transaction.insert(record)
        try recordEvents(limits.rules, &limiter, mail: record.mail)
        try idempotentRequest?.remember(record.id, transaction, at: now)
        try transaction.enqueue(entry)
        let verification = try snapshot(
          record, recipient, mail: entry, resendRules: resends, attempts: record.attempts + attempts, &limiter
        )
        // The quota is left out because its events would be read once more.
        return (verification, next: try limiter.block(limits.rules.filter { $0.limit != .overall }))
      }
    }
  }

  /// Sends a new code for a pending verification. Earlier codes become invalid; attempts stay counted.
  ///
  /// `client` is the IP address of the person, as passed by an authenticated caller; a resend counts like a start.
  public func resend(_ id: String, client: String? = nil) async throws(VerificationError) -> Verification {
    try await resend(id, client: client, idempotencyKey: nil).value
  }

  /// Sends a new code, or returns the verification for which an earlier request with the same key and payload did, in
  /// its current state, without sending or counting anything.
  public func resend(
    _ id: String, client: String? = nil, idempotencyKey key: IdempotencyKey?
  ) async throws(VerificationError) -> IdempotentResult<Verification> {
    let client = try VerificationService.client(client)
    let idempotentRequest = key.map { IdempotentRequest($0, .resend, of: id, keys: keys) }
    while true {
      let now = now()
      if let earlier = try await earlier(idempotentRequest, at: now) {
        return IdempotentResult(value: earlier, isReplay: true)
      }
      // The mail is composed outside the transaction, for the record as it is now, and only if no limit refuses it now.
      let pending = try await pendingRecord(id, client, idempotentRequest, at: now)
      guard let (record, recipient, limits) = pending else { continue }
      let preparedMail = try preparedMail(
        try request(of: record), id: id, purpose: record.purpose, recipient: recipient,
        generation: record.generation + 1, ownedBy: record.caller, at: now)
      if let resent = try await resend(record, limits, preparedMail, recipient, idempotentRequest, at: now) {
        return IdempotentResult(value: resent, isReplay: false)
      }
    }
  }

  /// Returns `nil` if a concurrent resend was first: one with the same key, or one whose code `record` doesn't have.
  private func resend(
    _ record: VerificationRecord, _ limits: SendLimits, _ preparedMail: PreparedMail,
    _ recipient: VerificationRecipient, _ idempotentRequest: IdempotentRequest?, at now: Timestamp
  ) async throws(VerificationError) -> Verification? {
    let footprint = VerificationFootprint(
      identities: [record.identity], limits, verification: record.id, mail: preparedMail.entry.id,
      idempotentRequest)
    return try await send(preparedMail, footprint: footprint) { entry, transaction in
      if let idempotentRequest, try idempotentRequest.priorResult(transaction, at: now) != .none {
        return nil
      }
      var current = try own(transaction.verification(record.id))
      _ = current.clampFutureTimes(at: now, lifetime: policy.lifetime)
      let state = current.state(at: now)
      guard state == .pending else { throw VerificationError.ended(state) }
      try checkSends(of: current)
      var limiter = limiter(transaction, at: now)
      _ = try enforce(limits, &limiter)
      // Without a cooldown a concurrent resend can come first; then its code is the one to replace.
      guard current.generation == record.generation else { return nil }
      current.earlier = current.replacedCodes
      current.generation += 1
      current.code = preparedMail.digest
      current.codeCreated = now
      current.expires = preparedMail.expires
      current.mail = preparedMail.entry.id
      current.language = preparedMail.language
      try transaction.update(current)
      try recordEvents(limits.rules, &limiter, mail: current.mail)
      try idempotentRequest?.remember(current.id, transaction, at: now)
      try transaction.enqueue(entry)
      try transaction.supersedeMail(of: current.id, newest: current.mail, at: now)
      return try snapshot(
        current, recipient, mail: entry,
        resendRules: current.generation < policy.sends ? resendRules(limits) : nil,
        attempts: attempts(of: current, transaction, at: now), &limiter)
    }
  }

  /// Returns the verification of an earlier request with the same key.
  ///
  /// Throws if one of `limits` refuses the mail, which is looked up only if it refused or was reached recently.
  private func earlier(
    _ request: IdempotentRequest?, orRefuseBy limits: SendLimits? = nil, at now: Timestamp
  ) async throws(VerificationError) -> Verification? {
    let limits = limits.flatMap { recentRefusals.includes($0.ruleKeys, at: now) ? $0 : nil }
    guard request != nil || limits != nil else { return nil }
    return try await read { transaction in
      switch try request?.priorResult(transaction, at: now) ?? .none {
      case .none:
        if let limits { try refuse(limits, transaction, at: now) }
        return nil
      case .reused: throw VerificationError.reused
      case .replay(let id):
        return try snapshot(try own(transaction.verification(id)), transaction, at: now)
      }
    }
  }

  /// Returns a pending verification with its recipient and the limits of a resend, which don't refuse it now; `nil` if a
  /// request with the same key was first.
  private func pendingRecord(
    _ id: String, _ client: ClientAddress?, _ request: IdempotentRequest?, at now: Timestamp
  ) async throws(VerificationError) -> (VerificationRecord, VerificationRecipient, SendLimits)? {
    try await read { transaction in
      let record = try own(transaction.verification(id))
      let state = record.state(at: now)
      guard state == .pending else { throw VerificationError.ended(state) }
      let recipient = try recipient(of: record)
      let limits = sendLimits(recipient, record.purpose, client, quota: policy.quota)
      if let request, try request.priorResult(transaction, at: now) != .none { return nil }
      try checkSends(of: record)
      try refuse(limits, transaction, at: now)
      return (record, recipient, limits)
    }
  }

  /// Throws if a verification has had all of its mails. No wait helps then.
  private func checkSends(of record: VerificationRecord) throws(VerificationError) {
    guard record.generation < policy.sends else { throw .limited(.verification, retryAfter: nil) }
  }

  private func request(of record: VerificationRecord) throws(VerificationError) -> StoredVerificationRequest {
    do throws(KeyringError) {
      let bytes = try keys.open(record.request ?? [], id: "request \(record.id)")
      guard let request = StoredVerificationRequest(bytes: bytes) else { throw .notAuthentic }
      return request
    } catch {
      throw .keys(error)
    }
  }
}

extension IdempotentRequest.Operation {
  static let start = IdempotentRequest.Operation(name: "start")
  static let resend = IdempotentRequest.Operation(name: "resend")
}
