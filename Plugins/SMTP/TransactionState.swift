/// How far a transaction got, and what its replies mean. The replies themselves are in the `ReplyParser`.
struct TransactionState {
  /// Indices into the mail's recipients.
  let recipients: [Int]
  let mode: TransactionMode
  /// The index of the reply to MAIL: 1 after RSET, otherwise 0.
  var mailPosition = 0
  /// The index of the reply to BDAT or DATA.
  var contentPosition: Int
  /// Whether the last byte of the body was sent.
  var isFullySent = false
  /// Whether there were more replies than commands before the body was sent, so that replies can't be matched to
  /// commands.
  var isDesynchronized = false
  /// Why the transaction ended before its last reply.
  var streamError: SMTPStreamError?

  init(recipients: [Int], mode: TransactionMode) {
    self.recipients = recipients
    self.mode = mode
    contentPosition = 1 + recipients.count
  }

  /// Whether MAIL and at least one recipient were accepted and the server isn't closing the connection.
  func hasAccepted(_ parser: borrowing ReplyParser) -> Bool {
    let replies = parser.replies
    guard replies.count >= contentPosition, replies[mailPosition].isSuccess else { return false }
    if replies[..<contentPosition].contains(where: \.closesConnection) { return false }
    return replies[(mailPosition + 1)..<contentPosition].contains { $0.isSuccess }
  }

  /// Returns each recipient's result, whether the connection is usable, and what to do next.
  func result(from parser: borrowing ReplyParser) -> TransactionResult {
    var result = TransactionResult()
    evaluate(parser, &result)
    applyConnectionPolicy(parser, &result)
    return result
  }

  /// Ends the connection's use, if the refusal that left nothing accepted asks for that.
  private func applyConnectionPolicy(_ parser: borrowing ReplyParser, _ result: inout TransactionResult) {
    guard result.next == .done, !isDesynchronized,
      !result.recipientResults.contains(where: {
        $0.recipientResult.outcome == .sent || $0.recipientResult.outcome == .unknown
      }),
      let (refusal, stage) = decisiveRefusal(parser.replies)
    else { return }
    let consequence = ConnectionPolicy.consequence(of: refusal, at: stage)
    guard consequence != .keep else { return }
    result.isRetired = result.isSound
    result.isSound = false
    if consequence == .retireAndRetry { result.next = .refusedOverConnection }
  }

  /// The refusal because of which nothing was accepted, and the command that it answers.
  private func decisiveRefusal(_ replies: [Reply]) -> (Reply, SMTPStage)? {
    // The server doesn't answer, or answers wrongly, what follows a 421.
    if let position = replies.firstIndex(where: \.closesConnection) {
      let isEnvelope = position > mailPosition && position < contentPosition
      return (replies[position], position <= mailPosition ? .mail : isEnvelope ? .recipient : .content)
    }
    guard replies.count > mailPosition else { return nil }
    if replies[mailPosition].isRefusal { return (replies[mailPosition], .mail) }
    let answers = replies[min(replies.count, mailPosition + 1)..<min(replies.count, contentPosition)]
    if answers.contains(where: \.isSuccess) {
      return replies[min(replies.count, contentPosition)...].first(where: \.isRefusal).map { ($0, .content) }
    }
    // One recipient that was refused for its own sake shows that the connection isn't the reason.
    guard let first = answers.first, answers.allSatisfy(\.isRefusal),
      answers.allSatisfy({ ConnectionPolicy.consequence(of: $0, at: .recipient) != .keep })
    else { return nil }
    return (first, .recipient)
  }

  private func evaluate(_ parser: borrowing ReplyParser, _ result: inout TransactionResult) {
    let replies = parser.replies
    let finalPosition = contentPosition + (mode.chunking ? 0 : 1)
    let final = replies.count > finalPosition ? replies[finalPosition] : nil
    let extras = replies.dropFirst(finalPosition + 1)
    result.isSound =
      streamError == nil && extras.isEmpty && !parser.hasPartialReply
      && !replies.contains(where: \.closesConnection)
    result.needsReset = final == nil
    // After 354 without a body, the server still waits for one.
    if !mode.chunking, final == nil, replies.count > contentPosition, replies[contentPosition].code == 354 {
      result.isSound = false
    }

    // The outcome of recipients without a reply of their own: possibly sent, or certainly not.
    let undecided = isFullySent ? SMTPOutcome.unknown : .deferred
    let silence = streamError?.message ?? "the server sent no final reply"

    if mailPosition == 1, let reset = replies.first, !reset.isSuccess {
      // Without RSET the earlier transaction may still be open, so no reply of this one can be relied on.
      result.isSound = false
      if isFullySent, final?.isRefusal != true {
        return setAll(&result, RecipientResult(.unknown, parser.text(reset)))
      }
      result.next = reset.closesConnection ? .refusedOverConnection : .nothingAccepted
      return setAll(&result, RecipientResult(.deferred, parser.text(reset)))
    }
    if isDesynchronized {
      result.isSound = false
      if mode.grouping == .pipelinedEnvelope { result.next = .reduceGrouping }
      let refusal = replies.first(where: \.isRefusal) ?? replies.last
      let message = refusal.map { parser.text($0) } ?? ""
      return setAll(
        &result, RecipientResult(.deferred, "the server sent more replies than commands: \(message)"))
    }
    guard replies.count > mailPosition else {
      if !isFullySent { result.next = .nothingAccepted }
      return setAll(&result, RecipientResult(undecided, silence))
    }

    let mail = replies[mailPosition]
    let answers = replies[min(replies.count, mailPosition + 1)..<min(replies.count, contentPosition)]
    let hasAccepted = answers.contains { $0.isSuccess }
    if isFullySent, let final, final.isRefusal, extras.contains(where: \.isSuccess) {
      // Which of the two replies is about the mail can't be known, and another attempt may send it twice.
      result.isSound = false
      return setAll(
        &result,
        RecipientResult(.unknown, "the server's replies contradict each other: \(parser.text(final))"))
    }
    if mode.chunking, let final, final.isRefusal {
      // The server may have read the refused body as commands.
      result.isSound = false
      if mail.isSuccess, hasAccepted, ReplyClassifier.rejectsBDAT(final) {
        result.next = .bdatUnsupported
        return setAll(&result, RecipientResult(.deferred, parser.text(final)))
      }
    }
    if isOutOfSequence(mail, answers, final, extras) {
      result.isSound = false
      result.next = .reduceGrouping
      return setAll(
        &result,
        RecipientResult(.deferred, "the server answered out of sequence: \(parser.text(final ?? mail))"))
    }
    // Contradictory replies: some recipient may have the mail.
    let isContradiction =
      isFullySent && final?.isSuccess == true
      && (!mail.isSuccess || !hasAccepted || answers.contains { !$0.isSuccess && !$0.isRefusal })
    guard !isContradiction else {
      result.isSound = false
      return setAll(
        &result, RecipientResult(.unknown, "the server's replies contradict each other: \(parser.text(mail))")
      )
    }

    guard mail.isSuccess else {
      let message = parser.text(mail)
      if !mail.isRefusal { result.isSound = false }
      return setAll(
        &result,
        RecipientResult(mail.isRefusal ? ReplyClassifier.outcome(of: mail, at: .mail) : undecided, message))
    }
    if case .closed = streamError, !isFullySent, !replies.contains(where: \.isRefusal) {
      result.next = .nothingAccepted
    }
    evaluateRecipients(parser, answers, final, undecided, silence, &result)
  }

  private func evaluateRecipients(
    _ parser: borrowing ReplyParser, _ answers: ArraySlice<Reply>, _ final: Reply?, _ undecided: SMTPOutcome,
    _ silence: String, _ result: inout TransactionResult
  ) {
    let acceptedResult = resultForAccepted(parser, final, undecided, silence, &result)
    var deferredIndices: [Int] = []
    result.recipientResults.reserveCapacity(recipients.count)
    for (place, index) in recipients.enumerated() {
      guard place < answers.count else {
        result.recipientResults.append((index, RecipientResult(undecided, silence)))
        continue
      }
      let answer = answers[answers.startIndex + place]
      if answer.isSuccess {
        result.recipientResults.append((index, acceptedResult))
      } else if answer.isRefusal {
        let message = parser.text(answer)
        let exceedsRecipientLimit = ReplyClassifier.exceedsRecipientLimit(answer, message)
        if exceedsRecipientLimit { deferredIndices.append(index) }
        // The address is valid, whatever the code says.
        let outcome = exceedsRecipientLimit ? .deferred : ReplyClassifier.outcome(of: answer, at: .recipient)
        result.recipientResults.append((index, RecipientResult(outcome, message)))
      } else {
        result.isSound = false
        result.recipientResults.append((index, RecipientResult(undecided, parser.text(answer))))
      }
    }
    // If no recipient was accepted, another transaction would fail likewise.
    if !deferredIndices.isEmpty, acceptedResult.outcome == .sent, deferredIndices.count < recipients.count {
      result.next = .remaining(deferredIndices)
    }
  }

  /// Returns the result of the recipients that were accepted.
  private func resultForAccepted(
    _ parser: borrowing ReplyParser, _ final: Reply?, _ undecided: SMTPOutcome, _ silence: String,
    _ result: inout TransactionResult
  ) -> RecipientResult {
    if let final {
      if final.isSuccess, isFullySent {
        // 2.1.z is about addresses, so this is the reply to an earlier command, shifted by a reply too many.
        if final.enhanced?.subject != 1 { return RecipientResult(.sent, parser.text(final)) }
        result.isSound = false
        return RecipientResult(
          .unknown, "the server's replies don't match the commands: \(parser.text(final))")
      }
      if final.isRefusal {
        return RecipientResult(ReplyClassifier.outcome(of: final, at: .content), parser.text(final))
      }
      result.isSound = false
      return RecipientResult(undecided, parser.text(final))
    }
    // The reply to DATA itself, if it isn't 354.
    if !mode.chunking, parser.replies.count > contentPosition, !isFullySent {
      let dataReply = parser.replies[contentPosition]
      if dataReply.isRefusal {
        return RecipientResult(ReplyClassifier.outcome(of: dataReply, at: .content), parser.text(dataReply))
      }
      if dataReply.code != 354 {
        result.isSound = false
        return RecipientResult(.deferred, parser.text(dataReply))
      }
    }
    // A server that answered an earlier command with 421 didn't read the body.
    if let connectionClosing = parser.replies.first(where: { $0.code == 421 }) {
      return RecipientResult(.deferred, parser.text(connectionClosing))
    }
    return RecipientResult(undecided, silence)
  }

  private func setAll(_ result: inout TransactionResult, _ recipientResult: RecipientResult) {
    result.recipientResults = recipients.map { ($0, recipientResult) }
  }

  /// Whether the replies to a group are out of order while the mail was certainly not accepted: every reply that
  /// could be the body's is a refusal.
  private func isOutOfSequence(
    _ mail: Reply, _ answers: ArraySlice<Reply>, _ final: Reply?, _ extras: ArraySlice<Reply>
  ) -> Bool {
    guard mode.grouping != .lockStep, let final, final.isRefusal, !final.closesConnection else {
      return false
    }
    let others = extras.filter { !$0.closesConnection }
    guard others.allSatisfy(\.isRefusal) else { return false }
    // After a refused MAIL, the later refusals only follow from it.
    guard !mail.isRefusal else { return false }
    let hasAccepted = mail.isSuccess && answers.contains { $0.isSuccess }
    let isStrange =
      hasAccepted && !others.isEmpty || !mail.isSuccess || answers.contains { !$0.isSuccess && !$0.isRefusal }
    return isStrange || hasAccepted && ReplyClassifier.isSequenceError(final)
  }
}

/// The result of one transaction.
struct TransactionResult {
  /// What is left to do for the mail.
  enum NextStep: Equatable {
    /// Nothing: every recipient has its result.
    case done
    /// The connection ended before any reply. On a kept connection, this isn't about the mail.
    case nothingAccepted
    /// The server refused the transaction, perhaps only over this connection (`ConnectionPolicy`). If the connection
    /// had been used before, a new one is worth a try.
    case refusedOverConnection
    /// Nothing was accepted because the server can't handle the grouping; use a slower one.
    case reduceGrouping
    /// Nothing was accepted because the server doesn't know BDAT; use DATA.
    case bdatUnsupported
    /// These recipients exceeded the server's limit; they need another transaction.
    case remaining([Int])
  }

  /// The result of each of the transaction's recipients, with its index in the mail.
  var recipientResults: [(index: Int, recipientResult: RecipientResult)] = []
  var next = NextStep.done
  /// Whether the connection can carry another mail.
  var isSound = true
  /// Whether the connection is in order but must not carry another mail, so that it ends with QUIT.
  var isRetired = false
  /// Whether RSET is needed before the next MAIL.
  var needsReset = false
}
