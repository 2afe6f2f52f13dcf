/// The state of one attempt at a mail, which may take several transactions and connections.
///
/// It decides and does no I/O: `SMTPClient` carries out a step, reports what ended it, and receives the next one.
struct AttemptState {
  /// The connection that the next transaction uses.
  enum ConnectionChoice: Equatable {
    /// The connection of the last transaction.
    case current
    /// A kept connection, or a new one if none is usable.
    case kept
    /// A new connection.
    case new
  }

  /// What the client does next.
  enum Step: Equatable {
    /// Carry the mail to the remaining recipients.
    case send(over: ConnectionChoice)
    /// Return the recipients' results.
    case finish
  }

  /// What ended a step.
  enum Event {
    /// Connecting or logging in failed.
    case connectionFailed(ConnectionError)
    /// The server lacks an extension that the mail needs, or its size limit is too small.
    case unsuited(String)
    /// The server sent something before the first command, or closed the connection.
    case unsolicitedReply(isReused: Bool)
    /// A transaction ended; its messages contain no secrets.
    case transactionEnded(TransactionResult, TransactionMode.Grouping, isReused: Bool)
  }

  /// The next step, and a quirk to remember for this and later mails.
  struct Decision: Equatable {
    let step: Step
    let quirk: ServerQuirk?

    init(_ step: Step, quirk: ServerQuirk? = nil) {
      self.step = step
      self.quirk = quirk
    }
  }

  /// One result for each recipient, in the mail's order.
  private(set) var recipientResults: [RecipientResult]
  /// The indices of the recipients whom the next transaction names.
  private(set) var remaining: [Int]
  /// Enough for a kept connection that died and two quirks.
  private var remainingRetries = 3
  private var needsNewConnection = false
  private var hadUnsolicitedReply = false

  /// Whether an earlier transaction settled some of the recipients; the others then have its temporary refusal.
  var hasSettledRecipients: Bool { remaining.count < recipientResults.count }

  init(recipientCount: Int) {
    recipientResults = Array(repeating: RecipientResult(.deferred, "not tried"), count: recipientCount)
    remaining = Array(0..<recipientCount)
  }

  /// The first step.
  var firstStep: Step { .send(over: .kept) }

  /// Records what ended the last step and returns what follows.
  mutating func next(after event: Event) -> Decision {
    switch event {
    case .connectionFailed(let error): return finish(RecipientResult(error.outcome, error.message))
    case .unsuited(let reason): return finish(RecipientResult(.unsuited, reason))
    case .unsolicitedReply(let isReused):
      // Kept connections often end between two mails. Of the new ones only the first is replaced, because
      // a server that always speaks first would otherwise be connected to forever.
      if !isReused {
        guard !hadUnsolicitedReply else {
          return finish(
            RecipientResult(
              .deferred, "the server sent data or closed the connection before the first command"))
        }
        hadUnsolicitedReply = true
        needsNewConnection = true
      }
      return Decision(.send(over: replacement))
    case .transactionEnded(let result, let grouping, let isReused):
      for (index, recipientResult) in result.recipientResults { recipientResults[index] = recipientResult }
      return decide(result, grouping, isReused)
    }
  }

  private mutating func decide(
    _ result: TransactionResult, _ grouping: TransactionMode.Grouping, _ isReused: Bool
  ) -> Decision {
    var quirk: ServerQuirk?
    switch result.next {
    case .done: return Decision(.finish)
    case .remaining(let indices):
      // Fewer each time, so that this ends.
      guard indices.count < remaining.count, result.isSound else { return Decision(.finish) }
      remaining = indices
      return Decision(.send(over: .current))
    case .nothingAccepted, .refusedOverConnection:
      // A kept connection may have ended between two mails, or reached a limit; with a new one, the server refuses the
      // mail.
      guard isReused else { return Decision(.finish) }
      needsNewConnection = true
      remaining.removeAll { recipientResults[$0].outcome.isFinal }
      guard !remaining.isEmpty else { return Decision(.finish) }
    case .reduceGrouping:
      quirk = grouping == .pipelinedWithBody ? .repliesOutOfSequence : .losesSynchronization
    case .bdatUnsupported: quirk = .bdatUnsupported
    }
    guard remainingRetries > 0 else { return Decision(.finish, quirk: quirk) }
    remainingRetries -= 1
    return Decision(.send(over: result.isSound ? .current : replacement), quirk: quirk)
  }

  private var replacement: ConnectionChoice { needsNewConnection ? .new : .kept }

  private mutating func finish(_ recipientResult: RecipientResult) -> Decision {
    for index in remaining { recipientResults[index] = recipientResult }
    return Decision(.finish)
  }
}
