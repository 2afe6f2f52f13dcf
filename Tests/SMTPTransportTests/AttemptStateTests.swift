import Testing

@testable import SMTPTransport

/// What follows each end of a step, for an attempt at a mail with two recipients.
@Suite struct AttemptStateTests {
  typealias Event = AttemptState.Event
  typealias Decision = AttemptState.Decision

  /// Events in their order, the decision after each, and the outcomes in the end.
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let steps: [(event: Event, decision: Decision)]
    let outcomes: [SMTPOutcome]
    var testDescription: String { name }

    init(_ name: String, _ steps: [(Event, Decision)], _ outcomes: [SMTPOutcome]) {
      self.name = name
      self.steps = steps
      self.outcomes = outcomes
    }
  }

  static let kept = Decision(.send(over: .kept))
  static let new = Decision(.send(over: .new))
  static let current = Decision(.send(over: .current))
  static let finish = Decision(.finish)

  static func remembering(_ quirk: ServerQuirk, _ step: AttemptState.Step = .send(over: .kept)) -> Decision {
    Decision(step, quirk: quirk)
  }

  /// A transaction that gave each recipient in `outcomes` a result.
  static func transaction(
    _ outcomes: [Int: SMTPOutcome], _ next: TransactionResult.NextStep, isSound: Bool = false,
    _ grouping: TransactionMode.Grouping = .pipelinedWithBody, isReused: Bool = false
  ) -> Event {
    var result = TransactionResult()
    result.recipientResults = outcomes.map { ($0.key, RecipientResult($0.value, "a reply")) }
    result.next = next
    result.isSound = isSound
    return .transactionEnded(result, grouping, isReused: isReused)
  }

  static let deferred: [Int: SMTPOutcome] = [0: .deferred, 1: .deferred]

  static let rows: [Row] = [
    // The connection.
    Row(
      "no connection ends the attempt with its outcome",
      [(.connectionFailed(ConnectionError(.held(.transport), "no login")), finish)],
      [.held(.transport), .held(.transport)]),
    Row(
      "a server that can't carry the mail ends the attempt", [(.unsuited("too large"), finish)],
      [.unsuited, .unsuited]),
    Row(
      "a kept connection that ended is replaced without counting",
      (0..<9).map { _ in (.unsolicitedReply(isReused: true), kept) }
        + [(transaction([0: .sent, 1: .sent], .done, isSound: true), finish)],
      [.sent, .sent]),
    Row(
      "a new connection whose server speaks first is replaced once",
      [(.unsolicitedReply(isReused: false), new), (.unsolicitedReply(isReused: false), finish)],
      [.deferred, .deferred]),
    Row(
      "a kept connection that ended doesn't excuse a second new one",
      [
        (.unsolicitedReply(isReused: true), kept), (.unsolicitedReply(isReused: false), new),
        (.unsolicitedReply(isReused: false), finish),
      ], [.deferred, .deferred]),

    // One transaction decides.
    Row(
      "a decided transaction ends the attempt",
      [(transaction([0: .sent, 1: .rejected], .done, isSound: true), finish)], [.sent, .rejected]),
    Row(
      "an unknown outcome is never retried", [(transaction([0: .unknown, 1: .unknown], .done), finish)],
      [.unknown, .unknown]),

    // A kept connection may have died.
    Row(
      "nothing accepted over a kept connection is retried over a new one",
      [
        (transaction(deferred, .nothingAccepted, isReused: true), new),
        (transaction([0: .sent, 1: .sent], .done, isSound: true), finish),
      ], [.sent, .sent]),
    Row(
      "nothing accepted over a new connection ends the attempt",
      [(transaction(deferred, .nothingAccepted), finish)], [.deferred, .deferred]),
    Row(
      "a refusal over a used connection is retried over a new one, once",
      [
        (transaction(deferred, .refusedOverConnection, isReused: true), new),
        (transaction(deferred, .refusedOverConnection), finish),
      ], [.deferred, .deferred]),

    Row(
      "a refusal over a used connection leaves settled recipients alone",
      [
        (transaction([0: .rejected, 1: .deferred], .refusedOverConnection, isReused: true), new),
        (transaction([1: .sent], .done, isSound: true), finish),
      ], [.rejected, .sent]),

    // Quirks.
    Row(
      "a server that doesn't know BDAT is retried at once",
      [
        (transaction(deferred, .bdatUnsupported), remembering(.bdatUnsupported)),
        (transaction([0: .sent, 1: .sent], .done, isSound: true), finish),
      ], [.sent, .sent]),
    Row(
      "replies out of sequence reduce the grouping step by step",
      [
        (transaction(deferred, .reduceGrouping), remembering(.repliesOutOfSequence)),
        (transaction(deferred, .reduceGrouping, .pipelinedEnvelope), remembering(.losesSynchronization)),
        (transaction([0: .sent, 1: .sent], .done, isSound: true), finish),
      ], [.sent, .sent]),
    Row(
      "a quirk after a dead connection is retried over a new one",
      [
        (transaction(deferred, .nothingAccepted, isReused: true), new),
        (transaction(deferred, .bdatUnsupported), remembering(.bdatUnsupported, .send(over: .new))),
        (transaction([0: .sent, 1: .sent], .done, isSound: true), finish),
      ], [.sent, .sent]),
    Row(
      "there are three retries, and the last quirk is remembered all the same",
      [
        (transaction(deferred, .bdatUnsupported), remembering(.bdatUnsupported)),
        (transaction(deferred, .reduceGrouping), remembering(.repliesOutOfSequence)),
        (transaction(deferred, .nothingAccepted, isReused: true), new),
        (
          transaction(deferred, .reduceGrouping, .pipelinedEnvelope),
          remembering(.losesSynchronization, .finish)
        ),
      ], [.deferred, .deferred]),

    // Recipients beyond the server's limit.
    Row(
      "a recipient too many goes over the same connection in a second transaction",
      [
        (transaction([0: .sent, 1: .deferred], .remaining([1]), isSound: true), current),
        (transaction([1: .sent], .done, isSound: true), finish),
      ], [.sent, .sent]),
    Row(
      "recipients that don't become fewer end the attempt",
      [(transaction([0: .sent, 1: .deferred], .remaining([0, 1]), isSound: true), finish)],
      [.sent, .deferred]),
    Row(
      "a recipient too many waits if the connection can't be used again",
      [(transaction([0: .sent, 1: .deferred], .remaining([1])), finish)], [.sent, .deferred]),
    Row(
      "what was sent stays sent when the rest finds no connection",
      [
        (transaction([0: .sent, 1: .deferred], .remaining([1]), isSound: true), current),
        (.unsolicitedReply(isReused: true), kept),
        (.connectionFailed(ConnectionError(.held(.transport), "no login")), finish),
      ], [.sent, .held(.transport)]),
    Row(
      "what was sent stays sent when the rest is retried",
      [
        (transaction([0: .sent, 1: .deferred], .remaining([1]), isSound: true, isReused: true), current),
        (transaction([1: .deferred], .nothingAccepted, isReused: true), new),
        (transaction([1: .rejected], .done, isSound: true), finish),
      ], [.sent, .rejected]),
  ]

  @Test(arguments: rows) func `each event has its decision`(_ row: Row) {
    var state = AttemptState(recipientCount: 2)
    #expect(state.firstStep == .send(over: .kept))
    for (index, step) in row.steps.enumerated() {
      #expect(state.next(after: step.event) == step.decision, "\(row.name), event \(index)")
    }
    #expect(row.steps.last?.decision.step == .finish)
    #expect(state.recipientResults.map(\.outcome) == row.outcomes, "\(row.name)")
  }

  @Test func `only the recipients beyond the limit remain`() {
    var state = AttemptState(recipientCount: 3)
    #expect(state.remaining == [0, 1, 2])
    #expect(!state.hasSettledRecipients)
    _ = state.next(
      after: Self.transaction([0: .sent, 1: .rejected, 2: .deferred], .remaining([2]), isSound: true))
    #expect(state.remaining == [2])
    #expect(state.hasSettledRecipients)
  }
}
