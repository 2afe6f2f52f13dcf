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
  ) async throws(VerificationProblem) -> Verification {
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
    variables: [String: String] = [:], notice: Bool = false, client: String? = nil, idempotencyKey key: IdempotencyKey?
  ) async throws(VerificationProblem) -> Once<Verification> {
    let recipient = try VerificationService.recipient(address)
    let client = try VerificationService.client(client)
    try VerificationService.check(purpose: purpose)
    let request = VerificationRequest(
      message: message ?? (notice ? policy.notice : policy.message), languages: languages,
      variables: variables, isNotice: notice)
    let sealable = request.octets
    guard sealable.count <= VerificationRequest.sizeLimit else {
      throw .input(field: "variables", what: "they are longer than \(VerificationRequest.sizeLimit) octets")
    }

    let keyed = key.map { KeyedRequest($0, .start, keys: keys) }
    let identity = limitKeys.identity(recipient, purpose)
    while true {
      let now = now()
      if let earlier = try await earlier(keyed, at: now) { return Once(value: earlier, isReplay: true) }
      let id = RandomName.id(at: now, random)
      let letter = try letter(request, id: id, purpose: purpose, recipient: recipient, generation: 1, at: now)
      let record = VerificationRecord(
        id: id, purpose: purpose, identity: identity[0],
        recipient: keys.seal(Array(recipient.address.description.utf8), id: "recipient \(id)"),
        request: keys.seal(sealable, id: "request \(id)"), code: letter.digest, created: now, renewed: now,
        expires: letter.expires, mail: letter.entry.id, language: letter.language)
      if let started = try await start(record, identity, letter, recipient, client, keyed, at: now) {
        return Once(value: started, isReplay: false)
      }
    }
  }

  /// `nil`: the same request came beside this one, and was first.
  private func start(
    _ record: VerificationRecord, _ identity: [[UInt8]], _ letter: Letter, _ recipient: Recipient,
    _ client: ClientAddress?, _ keyed: KeyedRequest?, at now: Timestamp
  ) async throws(VerificationProblem) -> Verification? {
    let mails = limitKeys.recipient(recipient, record.purpose)
    let rules = sendRules(mails, quota: policy.quotaOfStarts) + clientRules(client)
    let failures = limitKeys.failures(recipient, record.purpose)
    let resends = policy.sends > 1 ? sendRules(mails, quota: policy.quota) : nil
    let sweep = occasionalSweep(at: now)
    return try await send(letter) { entry, rows in
      if let sweep { _ = try rows.sweep(sweep) }
      if let keyed, try keyed.precedent(rows, at: now) != .none { return nil }
      var book = LimitBook(rows: rows, now: now)
      try pass(rules, failures, &book)
      var record = record
      for var older in try rows.pending(identity) {
        _ = older.settle(at: now, lifetime: policy.lifetime)
        let isLive = older.state(at: now) == .pending
        // A code of the one before, typed here, is told from a wrong one.
        if isLive {
          record.earlier = Array((older.overwritten + record.earlier).prefix(VerificationRecord.earlierLimit))
        }
        older.transition(to: isLive ? .superseded : .expired, at: isLive ? now : older.expires)
        try rows.update(older)
        try rows.supersedeMail(of: older.id, newest: nil, at: now)
      }
      try rows.insert(record)
      try note(rules, &book, mail: record.mail)
      try keyed?.remember(record.id, rows, at: now)
      try rows.enqueue(entry)
      return try picture(record, recipient, mail: entry, resendRules: resends, &book)
    }
  }

  /// Sends a new code for a pending verification; the codes before it are dead, the attempts stay counted.
  ///
  /// `client` is the IP address of whoever asks, as an authenticated caller passes it; it counts as a start does.
  public func resend(_ id: String, client: String? = nil) async throws(VerificationProblem) -> Verification {
    try await resend(id, client: client, idempotencyKey: nil).value
  }

  /// Sends a new code as `resend` does; where a request of the same key and payload did before, gives the
  /// verification as it is now, sends nothing and counts nothing.
  public func resend(
    _ id: String, client: String? = nil, idempotencyKey key: IdempotencyKey?
  ) async throws(VerificationProblem) -> Once<Verification> {
    let client = try VerificationService.client(client)
    let keyed = key.map { KeyedRequest($0, .resend, of: id, keys: keys) }
    while true {
      let now = now()
      if let earlier = try await earlier(keyed, at: now) { return Once(value: earlier, isReplay: true) }
      // The words are made outside of the transaction, for the record as it is now.
      let record = try await pendingRecord(id, at: now)
      let (recipient, request) = try opened(record)
      let letter = try letter(
        request, id: id, purpose: record.purpose, recipient: recipient, generation: record.generation + 1,
        at: now)
      let verification: Verification? = try await send(letter) { entry, rows in
        if let keyed, try keyed.precedent(rows, at: now) != .none { return nil }
        guard var current = try rows.verification(id) else { throw VerificationProblem.unknown }
        _ = current.settle(at: now, lifetime: policy.lifetime)
        let state = current.state(at: now)
        guard state == .pending else { throw VerificationProblem.ended(state) }
        // Not a matter of time: a verification has so many mails, and then it takes a new one.
        guard current.generation < policy.sends else {
          throw VerificationProblem.limited(.verification, retryAfter: nil)
        }
        let rules = resendRules(current, recipient) + clientRules(client)
        var book = LimitBook(rows: rows, now: now)
        try pass(rules, limitKeys.failures(recipient, record.purpose), &book)
        // Another resend came between and there is no cooldown: its code is the one to overwrite.
        guard current.generation == record.generation else { return nil }
        current.earlier = current.overwritten
        current.generation += 1
        current.code = letter.digest
        current.renewed = now
        current.expires = letter.expires
        current.mail = letter.entry.id
        current.language = letter.language
        try rows.update(current)
        try note(rules, &book, mail: current.mail)
        try keyed?.remember(id, rows, at: now)
        try rows.enqueue(entry)
        try rows.supersedeMail(of: id, newest: current.mail, at: now)
        return try picture(current, rows, at: now)
      }
      if let verification { return Once(value: verification, isReplay: false) }
    }
  }

  /// What the same request came to before.
  private func earlier(
    _ request: KeyedRequest?, at now: Timestamp
  ) async throws(VerificationProblem) -> Verification? {
    guard let request else { return nil }
    return try await look { rows in
      switch try request.precedent(rows, at: now) {
      case .none: return nil
      case .reused: throw VerificationProblem.reused
      case .replay(let id):
        guard let record = try rows.verification(id) else { throw VerificationProblem.unknown }
        return try picture(record, rows, at: now)
      }
    }
  }

  private func pendingRecord(_ id: String, at now: Timestamp) async throws(VerificationProblem)
    -> VerificationRecord
  {
    try await look { rows in
      guard let record = try rows.verification(id) else { throw VerificationProblem.unknown }
      let state = record.state(at: now)
      guard state == .pending else { throw VerificationProblem.ended(state) }
      return record
    }
  }

  private func opened(
    _ record: VerificationRecord
  ) throws(VerificationProblem) -> (Recipient, VerificationRequest) {
    do {
      let recipient = try recipient(of: record)
      let octets = try keys.open(record.request ?? [], id: "request \(record.id)")
      guard let request = VerificationRequest(octets: octets) else { throw KeyProblem.notAuthentic }
      return (recipient, request)
    } catch let problem as KeyProblem {
      throw .keys(problem)
    } catch let problem as VerificationProblem {
      throw problem
    } catch {
      throw .keys(.notAuthentic)
    }
  }

  // MARK: Limits

  private func clientRules(_ client: ClientAddress?) -> [LimitBook.Rule] {
    guard let client, !policy.clientStarts.isEmpty else { return [] }
    return [LimitBook.Rule(limit: .client, keys: limitKeys.starts(client), caps: policy.clientStarts)]
  }

  func resendRules(_ record: VerificationRecord, _ recipient: Recipient) -> [LimitBook.Rule] {
    sendRules(limitKeys.recipient(recipient, record.purpose), quota: policy.quota)
  }

  /// The rules of what is noted under `mails`, a recipient's digests.
  private func sendRules(_ mails: [[UInt8]], quota: Int?) -> [LimitBook.Rule] {
    var rules = [
      LimitBook.Rule(limit: .cooldown, keys: mails, caps: [VerificationCap(1, per: policy.cooldown)]),
      LimitBook.Rule(limit: .recipient, keys: mails, caps: policy.recipient),
    ]
    if let quota {
      rules.append(
        LimitBook.Rule(
          limit: .overall, keys: limitKeys.overall(),
          caps: [VerificationCap(quota, per: VerificationPolicy.day)]))
    }
    return rules
  }

  /// Throws where a limit stands in the way.
  private func pass(
    _ rules: [LimitBook.Rule], _ failures: [[UInt8]], _ book: inout LimitBook
  ) throws {
    try book.settle(VerificationService.counted(rules))
    let barriers = [try book.barrier(rules), try book.block(failures, policy)]
    if let last = barriers.compactMap({ $0 }).max(by: { $0.until < $1.until }) {
      throw VerificationProblem.limited(last.limit, retryAfter: last.until - book.now)
    }
  }

  /// Takes down what was done. A rejected mail gives back what counts mails; requests of a client stay counted.
  private func note(_ rules: [LimitBook.Rule], _ book: inout LimitBook, mail: String) throws {
    try book.note(VerificationService.counted(rules)) { $0.limit == .client ? nil : mail }
  }

  /// The cooldown and the recipient's caps count the same notes.
  private static func counted(_ rules: [LimitBook.Rule]) -> [LimitBook.Rule] {
    rules.filter { $0.limit != .cooldown }
  }

  // MARK: Input

  private static func recipient(_ text: String) throws(VerificationProblem) -> Recipient {
    do throws(Address.Problem) {
      return Recipient(address: try Address(text))
    } catch {
      throw .input(field: "to", what: error.what)
    }
  }

  static func client(_ text: String?) throws(VerificationProblem) -> ClientAddress? {
    guard let text else { return nil }
    guard let client = ClientAddress(text) else {
      throw .input(field: "client", what: "\(quoted(text)) is no IP address")
    }
    return client
  }

  private static func check(purpose: String) throws(VerificationProblem) {
    let fits = purpose.utf8.allSatisfy { octet in
      switch octet {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    guard fits, 1...64 ~= purpose.utf8.count else {
      throw .input(
        field: "purpose",
        what: "\(quoted(purpose)) is not 1 to 64 letters, digits, hyphens, dots and underscores")
    }
  }
}
