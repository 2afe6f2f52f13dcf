/// What a transport says of one attempt.
public struct Receipt: Sendable, Hashable {
  /// What became of one recipient.
  public struct Recipient: Sendable, Hashable {
    /// The recipient, as the envelope had it.
    public var address: Address
    /// What became of it.
    public var outcome: Outcome
    /// The far side's reply for this recipient, or the mail's.
    public var reply: String?

    /// A recipient's part of a receipt.
    public init(address: Address, outcome: Outcome, reply: String? = nil) {
      self.address = address
      self.outcome = outcome
      self.reply = reply
    }
  }

  /// The outcome for the whole mail.
  public var outcome: Outcome
  /// The reply that decided, in the far side's words.
  public var reply: String?
  /// The id under which the next hop knows the mail.
  public var remoteID: String?
  /// One entry a recipient of the envelope, in its order.
  public var recipients: [Recipient]

  /// A receipt whose outcome follows from its recipients'.
  public init(recipients: [Recipient], reply: String? = nil, remoteID: String? = nil) {
    self.outcome = Outcome.combined(recipients.lazy.map(\.outcome)) ?? .unsuited
    self.recipients = recipients
    self.reply = reply
    self.remoteID = remoteID
  }

  /// A receipt with one outcome for every recipient of `envelope`.
  public init(_ outcome: Outcome, for envelope: Envelope, reply: String? = nil, remoteID: String? = nil) {
    self.init(
      recipients: envelope.recipients.map { Recipient(address: $0, outcome: outcome, reply: reply) },
      reply: reply, remoteID: remoteID)
  }
}
