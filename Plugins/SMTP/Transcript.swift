/// What was asked in a transaction and how far it came; the replies are the reader's.
struct Transcript {
  /// Indices into the delivery's recipients.
  let recipients: [Int]
  let manner: Manner
  /// Where MAIL's reply stands among the replies; 1 behind a RSET.
  var mailPosition = 0
  /// Where the reply to BDAT or DATA stands.
  var octetsPosition: Int
  /// Whether the last octet was handed over.
  var isHandedOver = false
  /// More replies than commands before the octets went: nobody knows which answers which.
  var isOutOfStep = false
  /// Why it ended before its last reply.
  var breach: Breach?

  init(recipients: [Int], manner: Manner) {
    self.recipients = recipients
    self.manner = manner
    octetsPosition = 1 + recipients.count
  }

  /// Whether MAIL and a recipient have been accepted, and the server stays.
  func hasAccepted(_ reader: borrowing ReplyReader) -> Bool {
    let replies = reader.replies
    guard replies.count >= octetsPosition, replies[mailPosition].isSuccess else { return false }
    if replies[..<octetsPosition].contains(where: \.isGoodbye) { return false }
    return replies[(mailPosition + 1)..<octetsPosition].contains { $0.isSuccess }
  }

  /// What the replies mean for every recipient, for the connection, and for what comes next.
  func judged(by reader: borrowing ReplyReader) -> Conclusion {
    var conclusion = Conclusion()
    judge(reader, &conclusion)
    return conclusion
  }

  private func judge(_ reader: borrowing ReplyReader, _ conclusion: inout Conclusion) {
    let replies = reader.replies
    let finalPosition = octetsPosition + (manner.chunking ? 0 : 1)
    let final = replies.count > finalPosition ? replies[finalPosition] : nil
    let extras = replies.dropFirst(finalPosition + 1)
    conclusion.isSound =
      breach == nil && extras.isEmpty && !reader.hasRest && !replies.contains(where: \.isGoodbye)
    conclusion.needsReset = final == nil
    // The server waits for octets that nobody was left to get.
    if !manner.chunking, final == nil, replies.count > octetsPosition, replies[octetsPosition].code == 354 {
      conclusion.isSound = false
    }

    // What has no reply of its own: taken for all we know, or certainly not.
    let undecided = isHandedOver ? Outcome.unknown : .deferred
    let silence = breach?.words ?? "the server gave no reply that decides"

    if mailPosition == 1, let reset = replies.first, !reset.isSuccess {
      // The transaction before this one is in doubt, and so is every reply of this one.
      conclusion.isSound = false
      if isHandedOver, final?.isRefusal != true {
        return decideAll(&conclusion, Fate(.unknown, reader.text(reset)))
      }
      conclusion.next = reset.isGoodbye ? .goodbye : .nothingTaken
      return decideAll(&conclusion, Fate(.deferred, reader.text(reset)))
    }
    if isOutOfStep {
      conclusion.isSound = false
      if manner.grouping == .twoFlights { conclusion.next = .slower }
      let refusal = replies.first(where: \.isRefusal) ?? replies.last
      let words = refusal.map { reader.text($0) } ?? ""
      return decideAll(
        &conclusion, Fate(.deferred, "the server sent more replies than it was asked for: \(words)"))
    }
    guard replies.count > mailPosition else {
      if !isHandedOver { conclusion.next = .nothingTaken }
      return decideAll(&conclusion, Fate(undecided, silence))
    }

    let mail = replies[mailPosition]
    let answers = replies[min(replies.count, mailPosition + 1)..<min(replies.count, octetsPosition)]
    let hasAccepted = answers.contains { $0.isSuccess }
    if manner.chunking, let final, final.isRefusal {
      // Whether the refused octets were read as octets is the server's secret.
      conclusion.isSound = false
      if mail.isSuccess, hasAccepted, Judgement.isNoBDAT(final) {
        conclusion.next = .withoutBDAT
        return decideAll(&conclusion, Fate(.deferred, reader.text(final)))
      }
    }
    if isOutOfSequence(mail, answers, final, extras) {
      conclusion.isSound = false
      conclusion.next = .slower
      return decideAll(
        &conclusion, Fate(.deferred, "the server answered out of sequence: \(reader.text(final ?? mail))"))
    }
    // Replies that contradict each other: somebody may have got the mail.
    let isContradiction =
      isHandedOver && final?.isSuccess == true
      && (!mail.isSuccess || !hasAccepted || answers.contains { !$0.isSuccess && !$0.isRefusal })
    guard !isContradiction else {
      conclusion.isSound = false
      return decideAll(
        &conclusion, Fate(.unknown, "the server's replies contradict each other: \(reader.text(mail))"))
    }

    guard mail.isSuccess else {
      let words = reader.text(mail)
      if mail.code == 421 { conclusion.next = .goodbye }
      if !mail.isRefusal { conclusion.isSound = false }
      return decideAll(
        &conclusion, Fate(mail.isRefusal ? Judgement.outcome(of: mail, at: .mail) : undecided, words))
    }
    if case .closed = breach, !isHandedOver, !replies.contains(where: \.isRefusal) {
      conclusion.next = .nothingTaken
    }
    judgeRecipients(reader, answers, final, undecided, silence, &conclusion)
  }

  private func judgeRecipients(
    _ reader: borrowing ReplyReader, _ answers: ArraySlice<Reply>, _ final: Reply?, _ undecided: Outcome,
    _ silence: String, _ conclusion: inout Conclusion
  ) {
    let octetsFate = fateOfOctets(reader, final, undecided, silence, &conclusion)
    var surplus: [Int] = []
    conclusion.fates.reserveCapacity(recipients.count)
    for (place, index) in recipients.enumerated() {
      guard place < answers.count else {
        conclusion.fates.append((index, Fate(undecided, silence)))
        continue
      }
      let answer = answers[answers.startIndex + place]
      if answer.isSuccess {
        conclusion.fates.append((index, octetsFate))
      } else if answer.isRefusal {
        let words = reader.text(answer)
        let isOneTooMany = Judgement.isOneTooMany(answer, words)
        if isOneTooMany { surplus.append(index) }
        // Nothing is wrong with the address, whatever the code says.
        let outcome = isOneTooMany ? .deferred : Judgement.outcome(of: answer, at: .recipient)
        conclusion.fates.append((index, Fate(outcome, words)))
      } else {
        conclusion.isSound = false
        conclusion.fates.append((index, Fate(undecided, reader.text(answer))))
      }
    }
    // Without one that was taken, the next transaction would fare no better.
    if !surplus.isEmpty, octetsFate.outcome == .sent, surplus.count < recipients.count {
      conclusion.next = .remaining(surplus)
    }
  }

  /// What became of the recipients that were accepted.
  private func fateOfOctets(
    _ reader: borrowing ReplyReader, _ final: Reply?, _ undecided: Outcome, _ silence: String,
    _ conclusion: inout Conclusion
  ) -> Fate {
    if let final {
      if final.isSuccess, isHandedOver {
        // 2.1.z speaks of addresses: the reply to an earlier command, pushed here by one too many.
        if final.enhanced?.subject != 1 { return Fate(.sent, reader.text(final)) }
        conclusion.isSound = false
        return Fate(.unknown, "the server's replies don't fit the commands: \(reader.text(final))")
      }
      if final.isRefusal { return Fate(Judgement.outcome(of: final, at: .octets), reader.text(final)) }
      conclusion.isSound = false
      return Fate(undecided, reader.text(final))
    }
    // DATA's own reply, where it was refused or wrong.
    if !manner.chunking, reader.replies.count > octetsPosition, !isHandedOver {
      let go = reader.replies[octetsPosition]
      if go.isRefusal { return Fate(Judgement.outcome(of: go, at: .octets), reader.text(go)) }
      if go.code != 354 {
        conclusion.isSound = false
        return Fate(.deferred, reader.text(go))
      }
    }
    // Whoever said 421 to an earlier command has not gone on to the octets.
    if let goodbye = reader.replies.first(where: { $0.code == 421 }) {
      return Fate(.deferred, reader.text(goodbye))
    }
    return Fate(undecided, silence)
  }

  private func decideAll(_ conclusion: inout Conclusion, _ fate: Fate) {
    conclusion.fates = recipients.map { ($0, fate) }
  }

  /// Whether the group was answered in another order than it was asked, and certainly nothing was taken: every
  /// reply that could be the octets' is a refusal.
  private func isOutOfSequence(
    _ mail: Reply, _ answers: ArraySlice<Reply>, _ final: Reply?, _ extras: ArraySlice<Reply>
  ) -> Bool {
    guard manner.grouping != .lockStep, let final, final.isRefusal, !final.isGoodbye else { return false }
    let others = extras.filter { !$0.isGoodbye }
    guard others.allSatisfy(\.isRefusal) else { return false }
    // The first refusal decides; what comes after it is its echo.
    guard !mail.isRefusal else { return false }
    let hasAccepted = mail.isSuccess && answers.contains { $0.isSuccess }
    let isStrange =
      hasAccepted && !others.isEmpty || !mail.isSuccess || answers.contains { !$0.isSuccess && !$0.isRefusal }
    return isStrange || hasAccepted && Judgement.isAboutSequence(final)
  }
}

/// What a transaction has come to.
struct Conclusion {
  /// What to do next.
  enum Next: Equatable {
    /// Every recipient has a fate.
    case done
    /// Nothing was taken and nothing said; on a kept connection that tells nothing of the mail.
    case nothingTaken
    /// The server said goodbye before it took anything.
    case goodbye
    /// Nothing was taken; the server quarrels with the manner. Take a slower one.
    case slower
    /// Nothing was taken; BDAT isn't known. Take DATA.
    case withoutBDAT
    /// These recipients were one too many; they need a transaction of their own.
    case remaining([Int])
  }

  /// What became of each of the transaction's recipients.
  var fates: [(index: Int, fate: Fate)] = []
  var next = Next.done
  /// Whether the connection can carry another mail.
  var isSound = true
  /// Whether RSET has to come before the next MAIL.
  var needsReset = false
}
