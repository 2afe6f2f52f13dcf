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
    while true {
      let now = now()
      if let earlier = try await earlier(idempotentRequest, at: now) {
        return IdempotentResult(value: earlier, isReplay: true)
      }
      let id = RandomString.id(at: now, random)
      let preparedMail = try catchingConfiguredMessage(message == nil, notice) {
        () throws(VerificationError) -> PreparedMail in
        try self.preparedMail(request, id: id, purpose: purpose, recipient: recipient, generation: 1, at: now)
      }
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

  /// Returns `nil` if a concurrent request with the same key was first.
  private func start(
    _ record: VerificationRecord, _ identity: [[UInt8]], _ preparedMail: PreparedMail,
    _ recipient: VerificationRecipient,
    _ client: ClientAddress?, _ idempotentRequest: IdempotentRequest?, at now: Timestamp
  ) async throws(VerificationError) -> Verification? {
    let mails = (rateLimitKeys.recipient(recipient, record.purpose), rateLimitKeys.mailbox(recipient))
    let rules = sendRules(mails, quota: policy.startQuota) + clientRules(client)
    let failures = rateLimitKeys.failures(recipient, record.purpose)
    let resends = policy.sends > 1 ? sendRules(mails, quota: policy.quota) : nil
    let footprint = VerificationFootprint(
      identities: identity, rules, failures: failures, verification: record.id, mail: record.mail,
      idempotentRequest)
    return try await withOccasionalSweep(at: now) { () throws(VerificationError) in
      try await send(preparedMail, footprint: footprint) { entry, transaction in
        if let idempotentRequest, try idempotentRequest.priorResult(transaction, at: now) != .none {
          return nil
        }
        var limiter = VerificationRateLimiter(transaction: transaction, now: now)
        try enforce(rules, failures, &limiter)
        var record = record
        for var older in try transaction.pending(identity) {
          _ = older.clampFutureTimes(at: now, lifetime: policy.lifetime)
          let isLive = older.state(at: now) == .pending
          // A code of the older verification, typed for this one, is answered with `superseded`.
          if isLive {
            record.earlier = Array(
              (older.replacedCodes + record.earlier).prefix(VerificationRecord.earlierLimit))
          }
          older.transition(to: isLive ? .superseded : .expired, at: isLive ? now : older.expires)
          try transaction.update(older)
          try transaction.supersedeMail(of: older.id, newest: nil, at: now)
        }
        try transaction.insert(record)
        try recordEvents(rules, &limiter, mail: record.mail)
        try idempotentRequest?.remember(record.id, transaction, at: now)
        try transaction.enqueue(entry)
        return try snapshot(record, recipient, mail: entry, resendRules: resends, &limiter)
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
        at: now)
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
    let resends = resendRules(record, recipient)
    let rules = resends + clientRules(client)
    let failures = rateLimitKeys.failures(recipient, record.purpose)
    let footprint = VerificationFootprint(
      identities: [record.identity], rules, failures: failures, verification: record.id,
      mail: preparedMail.entry.id, idempotentRequest)
    return try await send(preparedMail, footprint: footprint) { entry, transaction in
      if let idempotentRequest, try idempotentRequest.priorResult(transaction, at: now) != .none {
        return nil
      }
      guard var current = try transaction.verification(record.id) else { throw VerificationError.unknown }
      _ = current.clampFutureTimes(at: now, lifetime: policy.lifetime)
      let state = current.state(at: now)
      guard state == .pending else { throw VerificationError.ended(state) }
      // No wait helps: a verification has a fixed number of mails.
      guard current.generation < policy.sends else {
        throw VerificationError.limited(.verification, retryAfter: nil)
      }
      var limiter = VerificationRateLimiter(transaction: transaction, now: now)
      try enforce(rules, failures, &limiter)
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
        resendRules: current.generation < policy.sends ? resends : nil, &limiter)
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
        guard let record = try transaction.verification(id) else { throw VerificationError.unknown }
        return try snapshot(record, transaction, at: now)
      }
    }
  }

  private func pendingRecord(_ id: String, at now: Timestamp) async throws(VerificationError)
    -> VerificationRecord
  {
    try await read { transaction in
      guard let record = try transaction.verification(id) else { throw VerificationError.unknown }
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
    sendRules(
      (rateLimitKeys.recipient(recipient, record.purpose), rateLimitKeys.mailbox(recipient)),
      quota: policy.quota)
  }

  /// The rules for events under the digests of a recipient: for one purpose, and for all purposes.
  private func sendRules(
    _ keys: (mails: [[UInt8]], mailbox: [[UInt8]]), quota: Int?
  ) -> [VerificationRateLimiter.Rule] {
    let mails = keys.mails
    var rules = [
      VerificationRateLimiter.Rule(
        limit: .cooldown, keys: mails, rateLimits: [RateLimit(1, per: policy.cooldown)]),
      VerificationRateLimiter.Rule(limit: .recipient, keys: mails, rateLimits: policy.recipient),
      VerificationRateLimiter.Rule(limit: .recipient, keys: keys.mailbox, rateLimits: policy.mailbox),
    ]
    if let quota {
      rules.append(
        VerificationRateLimiter.Rule(
          limit: .overall, keys: rateLimitKeys.overall(),
          rateLimits: [RateLimit(quota, per: VerificationPolicy.day)]))
    }
    return rules
  }

  /// Throws if a limit refuses the mail.
  private func enforce(
    _ rules: [VerificationRateLimiter.Rule], _ failures: [[UInt8]], _ limiter: inout VerificationRateLimiter
  ) throws {
    try limiter.clampFutureTimes(VerificationService.counted(rules))
    let blocks = [try limiter.block(rules), try limiter.block(failures, policy)]
    if let last = blocks.compactMap({ $0 }).max(by: { $0.until < $1.until }) {
      throw VerificationError.limited(last.limit, retryAfter: last.until - limiter.now)
    }
  }

  /// Records the events of a mail. A rejection of the mail deletes those that count mails; those of a client stay.
  private func recordEvents(
    _ rules: [VerificationRateLimiter.Rule], _ limiter: inout VerificationRateLimiter, mail: String
  ) throws {
    try limiter.recordEvents(VerificationService.counted(rules)) { $0.limit == .client ? nil : mail }
  }

  /// The rules with events of their own: the cooldown counts the events of the recipient's caps.
  private static func counted(_ rules: [VerificationRateLimiter.Rule]) -> [VerificationRateLimiter.Rule] {
    rules.filter { $0.limit != .cooldown }
  }

  // MARK: Input

  /// Runs `compose`. If `isConfigured`, the caller didn't name the message, so one that can't be used is a mistake in the
  /// configuration and not the caller's.
  private func catchingConfiguredMessage<Value>(
    _ isConfigured: Bool, _ isNotice: Bool, _ compose: () throws(VerificationError) -> Value
  ) throws(VerificationError) -> Value {
    do throws(VerificationError) {
      return try compose()
    } catch {
      guard isConfigured, case .input("message", let message) = error else { throw error }
      let key = isNotice ? "verification.notice" : "verification.message"
      throw .brokenMessage(Diagnostics([Diagnostic("\(key): \(message)", path: key)]))
    }
  }

  private static func ranges(_ languages: [String]) throws(VerificationError) -> [String] {
    do throws(LanguagePreference.InvalidTag) {
      return try LanguagePreference(languages).ranges
    } catch {
      throw .input(field: "language", message: "\(error.message); \(error.remedy)")
    }
  }

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
      throw .input(field: "client", message: "\(quoted(text)) isn't an IP address")
    }
    return client
  }

  static func check(purpose: String) throws(VerificationError) {
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
        message: "\(quoted(purpose)) isn't 1 to 64 letters, digits, hyphens, dots and underscores")
    }
  }
}

extension IdempotentRequest.Operation {
  static let start = IdempotentRequest.Operation(name: "start")
  static let resend = IdempotentRequest.Operation(name: "resend")
}

extension VerificationFootprint {
  /// The footprint of a mail that is sent by `rules`.
  fileprivate init(
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
