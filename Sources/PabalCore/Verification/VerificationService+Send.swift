extension VerificationService {
  /// Sends a code to `address`; a newer start for the same address and purpose takes the older one's place.
  ///
  /// - Parameters:
  ///   - address: Where the code goes, such as `kim@example.com`.
  ///   - purpose: What is proved, 1 to 64 letters, digits, `-`, `_` or `.`; codes of one purpose are worth
  ///     nothing for another.
  ///   - languages: The languages to look for, the best first (BCP 47).
  ///   - message: The message, by name; by default the policy's for a code or for a notice.
  ///   - variables: Values for the message's variables.
  ///   - notice: Sends a message without a code, as to somebody who is registered already; in everything that
  ///     can be seen it is like any other, but nothing approves it.
  ///   - client: The IP address of whoever asks, as an authenticated caller passes it; without one no limit
  ///     by client applies.
  public func start(
    to address: String, purpose: String = "sign-up", languages: [String] = [], message: String? = nil,
    variables: [String: String] = [:], notice: Bool = false, client: String? = nil
  ) async throws(VerificationError) -> Verification {
    try await start(
      to: address, purpose: purpose, languages: languages, message: message, variables: variables,
      notice: notice, client: client, idempotencyKey: nil
    ).value
  }

  /// Sends a code to `address` as `start` does; where a request of the same key and payload did before, gives that
  /// verification as it is now, sends nothing and counts nothing.
  ///
  /// Of a key whose verification is no longer kept it throws `.unknown`; a start that was refused leaves its key as
  /// new as it was.
  public func start(
    to address: String, purpose: String = "sign-up", languages: [String] = [], message: String? = nil,
    variables: [String: String] = [:], notice: Bool = false, client: String? = nil,
    idempotencyKey key: IdempotencyKey?
  ) async throws(VerificationError) -> IdempotentResult<Verification> {
    let recipient = try VerificationService.recipient(address)
    let client = try VerificationService.client(client)
    try VerificationService.check(purpose: purpose)
    let request = StoredVerificationRequest(
      message: message ?? (notice ? policy.notice : policy.message), languages: languages,
      variables: variables, isNotice: notice)
    let encodedRequest = request.bytes
    guard encodedRequest.count <= StoredVerificationRequest.sizeLimit else {
      throw .input(
        field: "variables", message: "they are longer than \(StoredVerificationRequest.sizeLimit) octets")
    }

    let idempotentRequest = key.map { IdempotentRequest($0, .start, keys: keys) }
    let identity = rateLimitKeys.identity(recipient, purpose)
    while true {
      let now = now()
      if let earlier = try await earlier(idempotentRequest, at: now) {
        return IdempotentResult(value: earlier, isReplay: true)
      }
      let id = RandomString.id(at: now, random)
      let preparedMail = try preparedMail(
        request, id: id, purpose: purpose, recipient: recipient, generation: 1, at: now)
      let record = VerificationRecord(
        id: id, purpose: purpose, identity: identity[0],
        recipient: keys.seal(Array(recipient.address.description.utf8), id: "recipient \(id)"),
        request: keys.seal(encodedRequest, id: "request \(id)"), code: preparedMail.digest, created: now,
        codeCreated: now,
        expires: preparedMail.expires, mail: preparedMail.entry.id, language: preparedMail.language)
      if let started = try await start(
        record, identity, preparedMail, recipient, client, idempotentRequest, at: now)
      {
        return IdempotentResult(value: started, isReplay: false)
      }
    }
  }

  /// `nil`: the same request came beside this one, and was first.
  private func start(
    _ record: VerificationRecord, _ identity: [[UInt8]], _ preparedMail: PreparedMail,
    _ recipient: VerificationRecipient,
    _ client: ClientAddress?, _ idempotentRequest: IdempotentRequest?, at now: Timestamp
  ) async throws(VerificationError) -> Verification? {
    let mails = rateLimitKeys.recipient(recipient, record.purpose)
    let rules = sendRules(mails, quota: policy.startQuota) + clientRules(client)
    let failures = rateLimitKeys.failures(recipient, record.purpose)
    let resends = policy.sends > 1 ? sendRules(mails, quota: policy.quota) : nil
    let sweep = occasionalSweep(at: now)
    return try await send(preparedMail) { entry, rows in
      if let sweep { _ = try rows.sweep(sweep) }
      if let idempotentRequest, try idempotentRequest.priorResult(rows, at: now) != .none { return nil }
      var limiter = VerificationRateLimiter(rows: rows, now: now)
      try enforce(rules, failures, &limiter)
      var record = record
      for var older in try rows.pending(identity) {
        _ = older.clampFutureTimes(at: now, lifetime: policy.lifetime)
        let isLive = older.state(at: now) == .pending
        // A code of the one before, typed here, is told from a wrong one.
        if isLive {
          record.earlier = Array(
            (older.replacedCodes + record.earlier).prefix(VerificationRecord.earlierLimit))
        }
        older.transition(to: isLive ? .superseded : .expired, at: isLive ? now : older.expires)
        try rows.update(older)
        try rows.supersedeMail(of: older.id, newest: nil, at: now)
      }
      try rows.insert(record)
      try recordEvents(rules, &limiter, mail: record.mail)
      try idempotentRequest?.remember(record.id, rows, at: now)
      try rows.enqueue(entry)
      return try snapshot(record, recipient, mail: entry, resendRules: resends, &limiter)
    }
  }

  /// Sends a new code for a pending verification; the codes before it are dead, the attempts stay counted.
  ///
  /// `client` is the IP address of whoever asks, as an authenticated caller passes it; it counts as a start does.
  public func resend(_ id: String, client: String? = nil) async throws(VerificationError) -> Verification {
    try await resend(id, client: client, idempotencyKey: nil).value
  }

  /// Sends a new code as `resend` does; where a request of the same key and payload did before, gives the
  /// verification as it is now, sends nothing and counts nothing.
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
      // The words are made outside of the transaction, for the record as it is now.
      let record = try await pendingRecord(id, at: now)
      let (recipient, request) = try unsealed(record)
      let preparedMail = try preparedMail(
        request, id: id, purpose: record.purpose, recipient: recipient, generation: record.generation + 1,
        at: now)
      let verification: Verification? = try await send(preparedMail) { entry, rows in
        if let idempotentRequest, try idempotentRequest.priorResult(rows, at: now) != .none { return nil }
        guard var current = try rows.verification(id) else { throw VerificationError.unknown }
        _ = current.clampFutureTimes(at: now, lifetime: policy.lifetime)
        let state = current.state(at: now)
        guard state == .pending else { throw VerificationError.ended(state) }
        // Not a matter of time: a verification has so many mails, and then it takes a new one.
        guard current.generation < policy.sends else {
          throw VerificationError.limited(.verification, retryAfter: nil)
        }
        let rules = resendRules(current, recipient) + clientRules(client)
        var limiter = VerificationRateLimiter(rows: rows, now: now)
        try enforce(rules, rateLimitKeys.failures(recipient, record.purpose), &limiter)
        // Another resend came between and there is no cooldown: its code is the one to overwrite.
        guard current.generation == record.generation else { return nil }
        current.earlier = current.replacedCodes
        current.generation += 1
        current.code = preparedMail.digest
        current.codeCreated = now
        current.expires = preparedMail.expires
        current.mail = preparedMail.entry.id
        current.language = preparedMail.language
        try rows.update(current)
        try recordEvents(rules, &limiter, mail: current.mail)
        try idempotentRequest?.remember(id, rows, at: now)
        try rows.enqueue(entry)
        try rows.supersedeMail(of: id, newest: current.mail, at: now)
        return try snapshot(current, rows, at: now)
      }
      if let verification { return IdempotentResult(value: verification, isReplay: false) }
    }
  }

  /// What the same request came to before.
  private func earlier(
    _ request: IdempotentRequest?, at now: Timestamp
  ) async throws(VerificationError) -> Verification? {
    guard let request else { return nil }
    return try await read { rows in
      switch try request.priorResult(rows, at: now) {
      case .none: return nil
      case .reused: throw VerificationError.reused
      case .replay(let id):
        guard let record = try rows.verification(id) else { throw VerificationError.unknown }
        return try snapshot(record, rows, at: now)
      }
    }
  }

  private func pendingRecord(_ id: String, at now: Timestamp) async throws(VerificationError)
    -> VerificationRecord
  {
    try await read { rows in
      guard let record = try rows.verification(id) else { throw VerificationError.unknown }
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
    } catch let problem as KeyringError {
      throw .keys(problem)
    } catch let problem as VerificationError {
      throw problem
    } catch {
      throw .keys(.notAuthentic)
    }
  }

  // MARK: Limits

  private func clientRules(_ client: ClientAddress?) -> [VerificationRateLimiter.Rule] {
    guard let client, !policy.clientStarts.isEmpty else { return [] }
    return [
      VerificationRateLimiter.Rule(
        limit: .client, keys: rateLimitKeys.starts(client), rateLimits: policy.clientStarts)
    ]
  }

  func resendRules(_ record: VerificationRecord, _ recipient: VerificationRecipient)
    -> [VerificationRateLimiter.Rule]
  {
    sendRules(rateLimitKeys.recipient(recipient, record.purpose), quota: policy.quota)
  }

  /// The rules of what is noted under `mails`, a recipient's digests.
  private func sendRules(_ mails: [[UInt8]], quota: Int?) -> [VerificationRateLimiter.Rule] {
    var rules = [
      VerificationRateLimiter.Rule(
        limit: .cooldown, keys: mails, rateLimits: [RateLimit(1, per: policy.cooldown)]),
      VerificationRateLimiter.Rule(limit: .recipient, keys: mails, rateLimits: policy.recipient),
    ]
    if let quota {
      rules.append(
        VerificationRateLimiter.Rule(
          limit: .overall, keys: rateLimitKeys.overall(),
          rateLimits: [RateLimit(quota, per: VerificationPolicy.day)]))
    }
    return rules
  }

  /// Throws where a limit stands in the way.
  private func enforce(
    _ rules: [VerificationRateLimiter.Rule], _ failures: [[UInt8]], _ limiter: inout VerificationRateLimiter
  ) throws {
    try limiter.clampFutureTimes(VerificationService.counted(rules))
    let blocks = [try limiter.block(rules), try limiter.block(failures, policy)]
    if let last = blocks.compactMap({ $0 }).max(by: { $0.until < $1.until }) {
      throw VerificationError.limited(last.limit, retryAfter: last.until - limiter.now)
    }
  }

  /// Takes down what was done. A rejected mail gives back what counts mails; requests of a client stay counted.
  private func recordEvents(
    _ rules: [VerificationRateLimiter.Rule], _ limiter: inout VerificationRateLimiter, mail: String
  ) throws {
    try limiter.recordEvents(VerificationService.counted(rules)) { $0.limit == .client ? nil : mail }
  }

  /// The cooldown and the recipient's caps count the same notes.
  private static func counted(_ rules: [VerificationRateLimiter.Rule]) -> [VerificationRateLimiter.Rule] {
    rules.filter { $0.limit != .cooldown }
  }

  // MARK: Input

  private static func recipient(_ text: String) throws(VerificationError) -> VerificationRecipient {
    do throws(AddressError) {
      return VerificationRecipient(address: try Address(text))
    } catch {
      throw .input(field: "to", message: error.message)
    }
  }

  static func client(_ text: String?) throws(VerificationError) -> ClientAddress? {
    guard let text else { return nil }
    guard let client = ClientAddress(text) else {
      throw .input(field: "client", message: "\(quoted(text)) is no IP address")
    }
    return client
  }

  private static func check(purpose: String) throws(VerificationError) {
    let fits = purpose.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    guard fits, 1...64 ~= purpose.utf8.count else {
      throw .input(
        field: "purpose",
        message: "\(quoted(purpose)) is not 1 to 64 letters, digits, hyphens, dots and underscores")
    }
  }
}
