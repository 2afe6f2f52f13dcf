internal import PabalCore

/// The mail of a session, one at a time, and the replies by which the session refused mail.
struct SMTPMailIntake {
  /// A mail whose content is complete.
  enum Finished {
    case accepted(SMTPTransaction)
    case refused(SMTPReply)
  }

  /// A reply that refuses each mail; `nil` if mail is accepted.
  var refusal: SMTPReply?
  /// What the client may send.
  var rules = SenderRules()
  private var transaction: SMTPTransaction?
  private var refusals: [SMTPReply] = []

  /// Whether a mail has begun.
  var isActive: Bool { transaction != nil }

  /// How many bytes of the mail have arrived and are kept.
  var contentSize: Int { transaction?.content.bytes.count ?? 0 }

  /// Returns the replies by which mail was refused since the last call.
  mutating func takeRefusals() -> [SMTPReply] {
    refusals.isEmpty ? [] : exchange(&refusals, with: [])
  }

  /// Forgets the mail.
  mutating func reset() { transaction = nil }

  /// Begins a mail with the argument of MAIL. Throws the reply if it isn't accepted.
  mutating func begin(
    _ argument: ArraySlice<UInt8>, submitter: Submitter, policy: SMTPSessionPolicy
  ) throws(SMTPReply) {
    guard transaction == nil else { throw .nestedMail }
    if let refusal {
      refusals.append(refusal)
      throw refusal
    }
    let new = try SMTPTransaction(argument, submitter: submitter, policy: policy)
    do throws(SenderRefusal) {
      try rules.check(envelopeSender: new.sender)
    } catch {
      let refusal = SMTPReply(error)
      refusals.append(refusal)
      throw refusal
    }
    transaction = new
  }

  /// Adds a recipient with the argument of RCPT; `missing` is the reply if no mail has begun.
  mutating func addRecipient(_ argument: ArraySlice<UInt8>, missing: SMTPReply) throws(SMTPReply) {
    guard transaction != nil else { throw missing }
    try transaction?.addRecipient(argument)
  }

  /// Begins the content of DATA; `missing` is the reply if no mail has begun.
  mutating func beginData(endsAtLF: Bool, missing: SMTPReply) throws(SMTPReply) {
    guard transaction != nil else { throw missing }
    try transaction?.beginData(endsAtLF: endsAtLF)
  }

  /// Begins a chunk of BDAT; `missing` is the reply if no mail has begun.
  mutating func beginChunk(_ size: ChunkSize, missing: SMTPReply) throws(SMTPReply) {
    guard transaction != nil else { throw missing }
    try transaction?.beginChunk(size)
  }

  /// Reads content that is at the start of `input`.
  mutating func read(_ input: inout SMTPInput) -> SMTPTransaction.Progress {
    transaction?.read(&input) ?? .incomplete
  }

  /// Refuses the content that is arriving, and keeps none of it.
  mutating func refuseContent(_ reply: SMTPReply) { transaction?.refuseContent(reply) }

  /// Ends a chunk that isn't the last one. Returns its reply.
  mutating func endChunk() -> SMTPReply {
    guard let fault = transaction?.content.fault else { return .chunkOK }
    refuseChunk(fault, isLast: false)
    return fault
  }

  /// Refuses a chunk. After the last one the mail is over, before it no more of it is accepted.
  mutating func refuseChunk(_ reply: SMTPReply, isLast: Bool) {
    // One mail is refused once, however many chunks follow.
    if let transaction, transaction.isAccepted { refusals.append(reply) }
    if isLast { transaction = nil } else { transaction?.fail(reply) }
  }

  /// Ends the mail, whose content is complete; `nil` if there isn't one.
  mutating func finish() -> Finished? {
    guard let transaction = exchange(&transaction, with: nil) else { return nil }
    guard let fault = transaction.content.fault else { return .accepted(transaction) }
    if transaction.isAccepted { refusals.append(fault) }
    return .refused(fault)
  }
}
