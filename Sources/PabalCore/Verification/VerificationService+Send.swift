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
    let identity = rateLimitKeys.identity(recipient, purpose)
    let mailbox = rateLimitKeys.mailbox(recipient)
    while true {
      let now = now()
      if let earlier = try await earlier(idempotentRequest, at: now) {
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
        id: id, purpose: purpose, identity: identity[0], mailbox: mailbox[0], caller: caller.storedName,
        recipient: keys.seal(Array(recipient.address.description.utf8), id: "recipient \(id)"),
        request: keys.seal(encodedRequest, id: "request \(id)"), code: preparedMail.digest, created: now,
        codeCreated: now,
        expires: preparedMail.expires, mail: preparedMail.entry.id, language: preparedMail.language)
      if let started = try await start(
        record, identity, mailbox, preparedMail, recipient, client, idempotentRequest, at: now)
      {
        return IdempotentResult(value: started, isReplay: false)
      }
    }
  }

  /// Returns `nil` if a concurrent request with the same key was first.
  private func start(
    _ record: VerificationRecord, _ identity: [[UInt8]], _ mailbox: [[UInt8]],
    _ preparedMail: PreparedMail, _ recipient: VerificationRecipient,
    _ client: ClientAddress?, _ idempotentRequest: IdempotentRequest?, at now: Timestamp
  ) async throws(VerificationError) -> Verification? {
    let mails = rateLimitKeys.recipient(recipient, record.purpose)
    let rules =
      sendRules(mails, mailbox, quota: policy.startQuota) + clientRules(client, recipient, record.purpose)
    let failures = rateLimitKeys.failures(recipient, record.purpose)
    let resends = policy.sends > 1 ? sendRules(mails, mailbox, quota: policy.quota) : nil
    let footprint = VerificationFootprint(
      identities: identity, rules, failures: failures, verification: record.id, mail: record.mail,
      idempotentRequest)
    return try await withOccasionalSweep(at: now) { () throws(VerificationError) in
      try await send(preparedMail, footprint: footprint) { entry, transaction in
        if let idempotentRequest, try idempotentRequest.priorResult(transaction, at: now) != .none {
          return nil
        }
        var limiter = limiter(transaction, at: now)
        let isBeyondLimit = try enforce(rules, mails, failures, &limiter)
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
        try recordEvents(rules, &limiter, mail: record.mail)
        try idempotentRequest?.remember(record.id, transaction, at: now)
        try transaction.enqueue(entry)
        return try snapshot(
          record, recipient, mail: entry, resendRules: resends, attempts: record.attempts + attempts, &limiter
        )
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
      // The mail is composed outside the transaction, for the record as it is now.
      let record = try await pendingRecord(id, at: now)
      let (recipient, request) = try unsealed(record)
      let preparedMail = try preparedMail(
        request, id: id, purpose: record.purpose, recipient: recipient, generation: record.generation + 1,
        ownedBy: record.caller, at: now)
      if let resent = try await resend(record, preparedMail, recipient, client, idempotentRequest, at: now) {
        return IdempotentResult(value: resent, isReplay: false)
      }
    }
  }

  /// Returns `nil` if a concurrent resend was first: one with the same key, or one whose code `record` doesn't have.
  private func resend(
    _ record: VerificationRecord, _ preparedMail: PreparedMail, _ recipient: VerificationRecipient,
    _ client: ClientAddress?, _ idempotentRequest: IdempotentRequest?, at now: Timestamp
  ) async throws(VerificationError) -> Verification? {
    // Derived once, because a rotation of the keys meanwhile would change the digests that the footprint names.
    let mails = rateLimitKeys.recipient(recipient, record.purpose)
    let resends = sendRules(mails, rateLimitKeys.mailbox(recipient), quota: policy.quota)
    let rules = resends + clientRules(client, recipient, record.purpose)
    let failures = rateLimitKeys.failures(recipient, record.purpose)
    let footprint = VerificationFootprint(
      identities: [record.identity], rules, failures: failures, verification: record.id,
      mail: preparedMail.entry.id, idempotentRequest)
    return try await send(preparedMail, footprint: footprint) { entry, transaction in
      if let idempotentRequest, try idempotentRequest.priorResult(transaction, at: now) != .none {
        return nil
      }
      var current = try own(transaction.verification(record.id))
      _ = current.clampFutureTimes(at: now, lifetime: policy.lifetime)
      let state = current.state(at: now)
      guard state == .pending else { throw VerificationError.ended(state) }
      // No wait helps: a verification has a fixed number of mails.
      guard current.generation < policy.sends else {
        throw VerificationError.limited(.verification, retryAfter: nil)
      }
      var limiter = limiter(transaction, at: now)
      _ = try enforce(rules, mails, failures, &limiter)
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
      try recordEvents(rules, &limiter, mail: current.mail)
      try idempotentRequest?.remember(current.id, transaction, at: now)
      try transaction.enqueue(entry)
      try transaction.supersedeMail(of: current.id, newest: current.mail, at: now)
      return try snapshot(
        current, recipient, mail: entry,
        resendRules: current.generation < policy.sends ? resends : nil,
        attempts: attempts(of: current, transaction, at: now), &limiter)
    }
  }

  /// Returns the verification of an earlier request with the same key.
  private func earlier(
    _ request: IdempotentRequest?, at now: Timestamp
  ) async throws(VerificationError) -> Verification? {
    guard let request else { return nil }
    return try await read { transaction in
      switch try request.priorResult(transaction, at: now) {
      case .none: return nil
      case .reused: throw VerificationError.reused
      case .replay(let id):
        return try snapshot(try own(transaction.verification(id)), transaction, at: now)
      }
    }
  }

  private func pendingRecord(_ id: String, at now: Timestamp) async throws(VerificationError)
    -> VerificationRecord
  {
    try await read { transaction in
      let record = try own(transaction.verification(id))
      let state = record.state(at: now)
      guard state == .pending else { throw VerificationError.ended(state) }
      return record
    }
  }

  private func unsealed(
    _ record: VerificationRecord
  ) throws(VerificationError) -> (VerificationRecipient, StoredVerificationRequest) {
    do {
      let recipient = try recipient(of: record)
      let bytes = try keys.open(record.request ?? [], id: "request \(record.id)")
      guard let request = StoredVerificationRequest(bytes: bytes) else { throw KeyringError.notAuthentic }
      return (recipient, request)
    } catch let error as KeyringError {
      throw .keys(error)
    } catch let error as VerificationError {
      throw error
    } catch {
      throw .keys(.notAuthentic)
    }
  }
}

extension IdempotentRequest.Operation {
  static let start = IdempotentRequest.Operation(name: "start")
  static let resend = IdempotentRequest.Operation(name: "resend")
}
