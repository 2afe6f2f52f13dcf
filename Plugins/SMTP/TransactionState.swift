/// What was asked in a transaction and how far it came; the replies are the reader's.
struct TransactionState {
  /// Indices into the delivery's recipients.
  let recipients: [Int]
  let mode: TransactionMode
  /// Where MAIL's reply stands among the replies; 1 behind a RSET.
  var mailPosition = 0
  /// Where the reply to BDAT or DATA stands.
  var contentPosition: Int
  /// Whether the last byte was handed over.
  var isFullySent = false
  /// More replies than commands before the bytes went: nobody knows which answers which.
  var isDesynchronized = false
  /// Why it ended before its last reply.
  var streamError: SMTPStreamError?

  init(recipients: [Int], mode: TransactionMode) {
    self.recipients = recipients
    self.mode = mode
    contentPosition = 1 + recipients.count
  }

  /// Whether MAIL and a recipient have been accepted, and the server stays.
  func hasAccepted(_ parser: borrowing ReplyParser) -> Bool {
    let replies = parser.replies
    guard replies.count >= contentPosition, replies[mailPosition].isSuccess else { return false }
    if replies[..<contentPosition].contains(where: \.closesConnection) { return false }
    return replies[(mailPosition + 1)..<contentPosition].contains { $0.isSuccess }
  }

  /// What the replies mean for every recipient, for the connection, and for what comes next.
  func result(from parser: borrowing ReplyParser) -> TransactionResult {
    var result = TransactionResult()
    evaluate(parser, &result)
    return result
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
    // The server waits for bytes that nobody was left to get.
    if !mode.chunking, final == nil, replies.count > contentPosition, replies[contentPosition].code == 354 {
      result.isSound = false
    }

    // What has no reply of its own: taken for all we know, or certainly not.
    let undecided = isFullySent ? SMTPOutcome.unknown : .deferred
    let silence = streamError?.message ?? "the server gave no reply that decides"

    if mailPosition == 1, let reset = replies.first, !reset.isSuccess {
      // The transaction before this one is in doubt, and so is every reply of this one.
      result.isSound = false
      if isFullySent, final?.isRefusal != true {
        return setAll(&result, RecipientResult(.unknown, parser.text(reset)))
      }
      result.next = reset.closesConnection ? .connectionClosing : .nothingAccepted
      return setAll(&result, RecipientResult(.deferred, parser.text(reset)))
    }
    if isDesynchronized {
      result.isSound = false
      if mode.grouping == .pipelinedEnvelope { result.next = .reduceGrouping }
      let refusal = replies.first(where: \.isRefusal) ?? replies.last
      let message = refusal.map { parser.text($0) } ?? ""
      return setAll(
        &result, RecipientResult(.deferred, "the server sent more replies than it was asked for: \(message)"))
    }
    guard replies.count > mailPosition else {
      if !isFullySent { result.next = .nothingAccepted }
      return setAll(&result, RecipientResult(undecided, silence))
    }

    let mail = replies[mailPosition]
    let answers = replies[min(replies.count, mailPosition + 1)..<min(replies.count, contentPosition)]
    let hasAccepted = answers.contains { $0.isSuccess }
    if mode.chunking, let final, final.isRefusal {
      // Whether the refused bytes were read as bytes is the server's secret.
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
    // Replies that contradict each other: somebody may have got the mail.
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
      if mail.code == 421 { result.next = .connectionClosing }
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
        // Nothing is wrong with the address, whatever the code says.
        let outcome = exceedsRecipientLimit ? .deferred : ReplyClassifier.outcome(of: answer, at: .recipient)
        result.recipientResults.append((index, RecipientResult(outcome, message)))
      } else {
        result.isSound = false
        result.recipientResults.append((index, RecipientResult(undecided, parser.text(answer))))
      }
    }
    // Without one that was taken, the next transaction would fare no better.
    if !deferredIndices.isEmpty, acceptedResult.outcome == .sent, deferredIndices.count < recipients.count {
      result.next = .remaining(deferredIndices)
    }
  }

  /// What became of the recipients that were accepted.
  private func resultForAccepted(
    _ parser: borrowing ReplyParser, _ final: Reply?, _ undecided: SMTPOutcome, _ silence: String,
    _ result: inout TransactionResult
  ) -> RecipientResult {
    if let final {
      if final.isSuccess, isFullySent {
        // 2.1.z speaks of addresses: the reply to an earlier command, pushed here by one too many.
        if final.enhanced?.subject != 1 { return RecipientResult(.sent, parser.text(final)) }
        result.isSound = false
        return RecipientResult(.unknown, "the server's replies don't fit the commands: \(parser.text(final))")
      }
      if final.isRefusal {
        return RecipientResult(ReplyClassifier.outcome(of: final, at: .content), parser.text(final))
      }
      result.isSound = false
      return RecipientResult(undecided, parser.text(final))
    }
    // DATA's own reply, where it was refused or wrong.
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
    // Whoever said 421 to an earlier command has not gone on to the bytes.
    if let connectionClosing = parser.replies.first(where: { $0.code == 421 }) {
      return RecipientResult(.deferred, parser.text(connectionClosing))
    }
    return RecipientResult(undecided, silence)
  }

  private func setAll(_ result: inout TransactionResult, _ recipientResult: RecipientResult) {
    result.recipientResults = recipients.map { ($0, recipientResult) }
  }

  /// Whether the group was answered in another order than it was asked, and certainly nothing was taken: every
  /// reply that could be the bytes' is a refusal.
  private func isOutOfSequence(
    _ mail: Reply, _ answers: ArraySlice<Reply>, _ final: Reply?, _ extras: ArraySlice<Reply>
  ) -> Bool {
    guard mode.grouping != .lockStep, let final, final.isRefusal, !final.closesConnection else {
      return false
    }
    let others = extras.filter { !$0.closesConnection }
    guard others.allSatisfy(\.isRefusal) else { return false }
    // The first refusal decides; what comes after it is its echo.
    guard !mail.isRefusal else { return false }
    let hasAccepted = mail.isSuccess && answers.contains { $0.isSuccess }
    let isStrange =
      hasAccepted && !others.isEmpty || !mail.isSuccess || answers.contains { !$0.isSuccess && !$0.isRefusal }
    return isStrange || hasAccepted && ReplyClassifier.isSequenceError(final)
  }
}

/// What a transaction has come to.
struct TransactionResult {
  /// What to do next.
  enum NextStep: Equatable {
    /// Every recipient has a fate.
    case done
    /// Nothing was taken and nothing said; on a kept connection that tells nothing of the mail.
    case nothingAccepted
    /// The server said goodbye before it took anything.
    case connectionClosing
    /// Nothing was taken; the server quarrels with the manner. Take a slower one.
    case reduceGrouping
    /// Nothing was taken; BDAT isn't known. Take DATA.
    case bdatUnsupported
    /// These recipients were one too many; they need a transaction of their own.
    case remaining([Int])
  }

  /// What became of each of the transaction's recipients.
  var recipientResults: [(index: Int, recipientResult: RecipientResult)] = []
  var next = NextStep.done
  /// Whether the connection can carry another mail.
  var isSound = true
  /// Whether RSET has to come before the next MAIL.
  var needsReset = false
}
