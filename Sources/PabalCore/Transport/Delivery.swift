/// The progress of one mail along a route: the outcome of each recipient, and the transport to try next.
///
/// A pure value: the caller makes the attempts and records their receipts.
public struct Delivery: Sendable {
  /// A finished attempt.
  public struct Attempt: Sendable {
    /// The transport's name.
    public let transport: String
    /// The combined outcome of its recipients.
    public let outcome: Outcome
    /// The reply that decided the outcome.
    public let reply: String?
    /// The duration of the attempt.
    public let duration: Duration
  }

  /// The mail, with all its recipients.
  public let mail: Mail
  /// The attempts made so far, in order.
  public private(set) var attempts: [Attempt] = []
  /// The last transport that didn't find the mail unsuited, or else the first transport tried.
  public private(set) var transport: String?

  private let route: [String]
  private let unknownPolicy: UnknownPolicy
  private var recipientStates: [Recipient]
  private var remoteID: String?
  private var position = 0

  private struct Recipient {
    var outcome: Outcome?
    var reply: String?
    var remoteHost: String?
    var mayHaveBeenSent = false

    func isDone(_ unknownPolicy: UnknownPolicy) -> Bool {
      guard let outcome else { return false }
      return outcome.isFinal || (outcome == .unknown && unknownPolicy == .keep)
    }
  }

  /// Creates a delivery of `mail` through the transports named in `route`, in order.
  public init(_ mail: Mail, route: [String], unknownPolicy: UnknownPolicy) {
    self.mail = mail
    self.route = route
    self.unknownPolicy = unknownPolicy
    recipientStates = Array(repeating: Recipient(), count: mail.envelope.recipients.count)
  }

  /// Returns the next attempt to make: the index of the transport in the route, and the mail for the recipients
  /// without a final outcome. Returns `nil` if there is nothing left to try.
  public func next() -> (transport: Int, mail: Mail)? {
    guard position < route.count else { return nil }
    // The first attempt is for all recipients.
    guard position > 0 else { return (position, mail) }
    return mail.addressed(to: openIndices.map { mail.envelope.recipients[$0] }).map { (position, $0) }
  }

  /// Records the receipt of the attempt that `next` returned.
  public mutating func record(_ receipt: Receipt, duration: Duration) {
    func apply(_ index: Int, _ entry: Receipt.Recipient) {
      if entry.outcome == .unknown { recipientStates[index].mayHaveBeenSent = true }
      // An unsuited transport doesn't change the outcome of an earlier one.
      if entry.outcome == .unsuited, recipientStates[index].outcome != nil { return }
      recipientStates[index].outcome = entry.outcome
      recipientStates[index].reply = entry.reply
      recipientStates[index].remoteHost = entry.remoteHost
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

  /// The combined receipt of all attempts.
  public var receipt: Receipt {
    let entries = zip(mail.envelope.recipients, recipientStates).map { address, recipient in
      var outcome = recipient.outcome ?? .deferred()
      // No transport of the route can carry the mail.
      if outcome == .unsuited { outcome = .rejected }
      // An earlier transport may have delivered it, regardless of later replies.
      if recipient.mayHaveBeenSent, outcome != .sent { outcome = .unknown }
      return Receipt.Recipient(
        address: address, outcome: outcome, reply: recipient.reply, remoteHost: recipient.remoteHost)
    }
    let mailOutcome = Outcome.combined(entries.lazy.map(\.outcome))
    let reply = entries.first { $0.outcome == mailOutcome }?.reply ?? attempts.last?.reply
    return Receipt(recipients: entries, reply: reply, remoteID: remoteID)
  }

  private var openIndices: [Int] {
    recipientStates.indices.filter { !recipientStates[$0].isDone(unknownPolicy) }
  }
}
