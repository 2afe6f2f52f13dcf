/// What a sealed entry holds: the mail, and what became of its recipients so far.
public struct OutboxContent: Sendable {
  /// What became of one recipient.
  struct Progress: Sendable, Hashable {
    /// `sent`, `rejected` or `unknown` once nothing more is tried for it.
    var final: Outcome?
    /// The last reply for it.
    var reply: String?
  }

  /// The mail, with all its recipients.
  public let mail: Mail
  /// One for each recipient of the envelope, in its order.
  var progress: [Progress]

  /// The content of a mail nobody has tried.
  public init(_ mail: Mail) {
    self.mail = mail
    progress = Array(repeating: Progress(), count: mail.envelope.recipients.count)
  }

  /// What became of each recipient so far: its outcome once it is final, and the last reply for it.
  public var recipients: [(address: Address, outcome: Outcome?, reply: String?)] {
    zip(mail.envelope.recipients, progress).map { ($0, $1.final, $1.reply) }
  }

  /// The mail for those that are still to be reached; `nil` when there are none.
  var remaining: Mail? {
    mail.addressed(to: zip(mail.envelope.recipients, progress).filter { $1.final == nil }.map(\.0))
  }

  /// Takes down what became of the recipients that `receipt` names.
  mutating func record(_ receipt: Receipt, unknown: UnknownPolicy) {
    for entry in receipt.recipients {
      guard let index = mail.envelope.recipients.firstIndex(of: entry.address) else { continue }
      progress[index].reply = entry.reply ?? progress[index].reply
      if entry.outcome.isFinal || (entry.outcome == .unknown && unknown == .keep) {
        progress[index].final = entry.outcome
      }
    }
  }

  /// The outcome over all recipients, once nothing more is tried for any.
  var decided: Outcome? {
    let finals = progress.compactMap(\.final)
    return finals.count == progress.count ? Outcome.combined(finals) : nil
  }
}
