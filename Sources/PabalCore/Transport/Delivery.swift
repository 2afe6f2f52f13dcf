/// One mail on its way along a route: who has it already, and which transport is next.
///
/// Pure: whoever drives it makes the attempts and reports their receipts.
public struct Delivery: Sendable {
  /// One attempt, as it is told to the sender.
  public struct Attempt: Sendable {
    /// The transport's name.
    public let transport: String
    /// How it ended, over its recipients.
    public let outcome: Outcome
    /// The reply that decided.
    public let reply: String?
    /// How long it took.
    public let duration: Duration
  }

  /// The mail, with all its recipients.
  public let mail: Mail
  /// The attempts made so far, in order.
  public private(set) var attempts: [Attempt] = []
  /// The transport that took the mail last, or was tried last.
  public private(set) var transport: String?

  private let route: [String]
  private let unknown: UnknownPolicy
  private var recipientStates: [Recipient]
  private var remoteID: String?
  private var position = 0

  private struct Recipient {
    var outcome: Outcome?
    var reply: String?
    var mayHaveBeenSent = false

    func isDone(_ unknown: UnknownPolicy) -> Bool {
      guard let outcome else { return false }
      return outcome.isFinal || (outcome == .unknown && unknown == .keep)
    }
  }

  /// A delivery of `mail` by the transports named in `route`, in order.
  public init(_ mail: Mail, route: [String], unknown: UnknownPolicy) {
    self.mail = mail
    self.route = route
    self.unknown = unknown
    recipientStates = Array(repeating: Recipient(), count: mail.envelope.recipients.count)
  }

  /// The next attempt to make: the transport's place in the route, and the mail for the recipients that
  /// have no final outcome; `nil` when nothing more is to be tried.
  public func next() -> (transport: Int, mail: Mail)? {
    guard position < route.count else { return nil }
    // The first attempt is for all of them.
    guard position > 0 else { return (position, mail) }
    return mail.addressed(to: openIndices.map { mail.envelope.recipients[$0] }).map { (position, $0) }
  }

  /// Takes down how the attempt that `next` asked for has ended.
  public mutating func record(_ receipt: Receipt, duration: Duration) {
    func apply(_ index: Int, _ entry: Receipt.Recipient) {
      if entry.outcome == .unknown { recipientStates[index].mayHaveBeenSent = true }
      // A transport that can't carry the mail says nothing about what an earlier one answered.
      if entry.outcome == .unsuited, recipientStates[index].outcome != nil { return }
      recipientStates[index].outcome = entry.outcome
      recipientStates[index].reply = entry.reply
    }
    if position == 0 {
      for (index, entry) in zip(recipientStates.indices, receipt.recipients) { apply(index, entry) }
    } else {
      for (index, entry) in zip(openIndices, receipt.recipients) { apply(index, entry) }
    }
    let name = route[position]
    attempts.append(
      Attempt(transport: name, outcome: receipt.outcome, reply: receipt.reply, duration: duration))
    if transport == nil || receipt.outcome != .unsuited { transport = name }
    if let id = receipt.remoteID { remoteID = id }
    position += 1
  }

  /// What became of the mail, over all attempts.
  public var receipt: Receipt {
    let entries = zip(mail.envelope.recipients, recipientStates).map { address, recipient in
      var outcome = recipient.outcome ?? .deferred()
      // Nothing left that could carry it: it will never leave this way.
      if outcome == .unsuited { outcome = .rejected }
      // An earlier transport may have delivered it, whatever a later one answered.
      if recipient.mayHaveBeenSent, outcome != .sent { outcome = .unknown }
      return Receipt.Recipient(address: address, outcome: outcome, reply: recipient.reply)
    }
    let mailOutcome = Outcome.combined(entries.lazy.map(\.outcome))
    let reply = entries.first { $0.outcome == mailOutcome }?.reply ?? attempts.last?.reply
    return Receipt(recipients: entries, reply: reply, remoteID: remoteID)
  }

  private var openIndices: [Int] { recipientStates.indices.filter { !recipientStates[$0].isDone(unknown) } }
}
