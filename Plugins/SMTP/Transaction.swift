internal import Glibc

/// One mail transaction over one connection: puts it on the wire, then judges the replies.
struct Transaction: ~Copyable {
  /// What to do after a transaction.
  enum Next: Equatable {
    /// Every recipient has a fate.
    case done
    /// Nothing was taken and nothing said; on a kept connection that tells nothing of the mail.
    case nothingTaken(String)
    /// The server said goodbye before it took anything.
    case goodbye(String)
    /// Nothing was taken; the server quarrels with the manner. Take a slower one.
    case slower
    /// Nothing was taken; BDAT isn't known. Take DATA.
    case withoutBDAT
    /// These recipients were one too many; they need a transaction of their own.
    case remaining([Int])
  }

  private let delivery: Delivery
  /// Indices into the delivery's recipients.
  private let recipients: [Int]
  private let manner: Manner

  // Where the replies stand in the reader, in the order of the commands.
  private var mailPosition = 0
  private var octetsPosition = 0
  private var isHandedOver = false
  // More replies than commands before the octets went: nobody knows which answers which.
  private var isOutOfStep = false
  private var breach: Breach?

  /// What became of each of `recipients`.
  private(set) var fates: [(index: Int, fate: Fate)] = []
  private(set) var next = Next.done
  /// Whether the connection can carry another mail.
  private(set) var isConnectionSound = true
  /// Whether RSET has to come before the next MAIL.
  private(set) var needsReset = false

  init(_ delivery: Delivery, recipients: [Int], manner: Manner) {
    self.delivery = delivery
    self.recipients = recipients
    self.manner = manner
  }

  /// Puts the transaction on the wire and judges it.
  mutating func run(
    _ dialogue: Dialogue, _ capabilities: Capabilities, _ buffer: CommandBuffer, resetFirst: Bool
  ) {
    dialogue.reader.reset()
    do throws(Breach) {
      switch manner.grouping {
      case .oneFlight: try oneFlight(dialogue, capabilities, buffer, resetFirst)
      case .twoFlights: try twoFlights(dialogue, capabilities, buffer, resetFirst)
      case .lockStep: try lockStep(dialogue, capabilities, buffer, resetFirst)
      }
    } catch {
      breach = error
    }
    judge(dialogue.reader)
  }

  // MARK: On the wire

  private mutating func oneFlight(
    _ dialogue: Dialogue, _ capabilities: Capabilities, _ buffer: CommandBuffer, _ resetFirst: Bool
  ) throws(Breach) {
    appendEnvelope(to: buffer, capabilities, resetFirst)
    octetsPosition = mailPosition + 1 + recipients.count
    dialogue.reader.awaited = octetsPosition + 1
    try sendChunk(dialogue, buffer)
    try dialogue.awaitReplies(octetsPosition + 1)
  }

  private mutating func twoFlights(
    _ dialogue: Dialogue, _ capabilities: Capabilities, _ buffer: CommandBuffer, _ resetFirst: Bool
  ) throws(Breach) {
    appendEnvelope(to: buffer, capabilities, resetFirst)
    octetsPosition = mailPosition + 1 + recipients.count
    if !manner.chunking { buffer.append("DATA\r\n") }
    let expected = octetsPosition + (manner.chunking ? 0 : 1)
    dialogue.reader.awaited = expected
    try dialogue.send(buffer.octets, stop: Self.endsAll)
    try dialogue.awaitReplies(expected)
    isOutOfStep = dialogue.reader.replies.count > expected || dialogue.reader.hasRest
    guard !isOutOfStep, hasAccepted(dialogue.reader) else { return }
    try sendOctets(dialogue, buffer)
  }

  private mutating func lockStep(
    _ dialogue: Dialogue, _ capabilities: Capabilities, _ buffer: CommandBuffer, _ resetFirst: Bool
  ) throws(Breach) {
    octetsPosition = 1 + recipients.count
    buffer.removeAll()
    if resetFirst {
      buffer.append("RSET\r\n")
      try ask(dialogue, buffer)
      // Its reply isn't one of the transaction's.
      guard dialogue.reader.replies.last?.isSuccess == true, !dialogue.reader.hasRest else {
        throw .closed("the server refused RSET")
      }
      dialogue.reader.reset()
      buffer.removeAll()
    }
    appendMail(to: buffer, capabilities)
    try ask(dialogue, buffer)
    guard !isOutOfStep, dialogue.reader.replies.last?.isSuccess == true else { return }
    for index in recipients {
      buffer.removeAll()
      appendRecipient(index, to: buffer)
      try ask(dialogue, buffer)
      if isOutOfStep || dialogue.reader.replies.last?.isGoodbye == true { return }
    }
    guard hasAccepted(dialogue.reader) else { return }
    if !manner.chunking {
      buffer.removeAll()
      buffer.append("DATA\r\n")
      try ask(dialogue, buffer)
      if isOutOfStep { return }
    }
    try sendOctets(dialogue, buffer)
  }

  private mutating func ask(_ dialogue: Dialogue, _ buffer: CommandBuffer) throws(Breach) {
    let count = dialogue.reader.replies.count + 1
    dialogue.reader.awaited = count
    try dialogue.send(buffer.octets, stop: Self.endsAll)
    try dialogue.awaitReplies(count)
    isOutOfStep = dialogue.reader.replies.count > count || dialogue.reader.hasRest
  }

  /// The second flight: BDAT with the octets; or, once 354 has come, the octets with their dots doubled.
  private mutating func sendOctets(_ dialogue: Dialogue, _ buffer: CommandBuffer) throws(Breach) {
    buffer.removeAll()
    let known = dialogue.reader.replies.count
    dialogue.reader.awaited = known + 1
    if manner.chunking {
      try sendChunk(dialogue, buffer)
    } else {
      guard dialogue.reader.replies.last?.code == 354 else { return }
      var stuffing = DotStuffing(delivery.octets)
      while true {
        buffer.removeAll()
        let isLast = stuffing.fill(buffer)
        // A reply now can only be a refusal, or a server that has lost its place.
        try dialogue.send(buffer.octets) { reader in reader.replies.count > known || reader.hasRest }
        if isLast { break }
      }
      isHandedOver = true
    }
    try dialogue.awaitReplies(known + 1)
  }

  /// BDAT and all octets: the first slice holds what stands in `buffer` already, the rest goes from the mail's
  /// own memory.
  private mutating func sendChunk(_ dialogue: Dialogue, _ buffer: CommandBuffer) throws(Breach) {
    buffer.append("BDAT ")
    buffer.append(delivery.octets.count)
    buffer.append(" LAST\r\n")
    let ahead = min(delivery.octets.count, buffer.roomInSlice)
    buffer.append(UnsafeRawBufferPointer(rebasing: delivery.octets[..<ahead]))
    let (mail, octets) = (mailPosition, octetsPosition)
    // Once nobody is left to take it for, the rest of a large mail stays here.
    let isRefused: (borrowing ReplyReader) -> Bool = { reader in
      if Self.endsAll(reader) || reader.replies.count > octets { return true }
      guard reader.replies.count > mail else { return false }
      if reader.replies[mail].isRefusal { return true }
      return reader.replies.count == octets
        && !reader.replies[(mail + 1)..<octets].contains { $0.isSuccess }
    }
    try dialogue.send(buffer.octets, stop: isRefused)
    if ahead < delivery.octets.count {
      try dialogue.send(UnsafeRawBufferPointer(rebasing: delivery.octets[ahead...]), stop: isRefused)
    }
    isHandedOver = true
  }

  private static func endsAll(_ reader: borrowing ReplyReader) -> Bool {
    reader.replies.last?.isGoodbye == true
  }

  private mutating func appendEnvelope(
    to buffer: CommandBuffer, _ capabilities: Capabilities, _ resetFirst: Bool
  ) {
    buffer.removeAll()
    if resetFirst { buffer.append("RSET\r\n") }
    mailPosition = resetFirst ? 1 : 0
    appendMail(to: buffer, capabilities)
    for index in recipients { appendRecipient(index, to: buffer) }
  }

  private func appendMail(to buffer: CommandBuffer, _ capabilities: Capabilities) {
    buffer.append("MAIL FROM:<")
    buffer.append(delivery.sender)
    buffer.append(UInt8(ascii: ">"))
    if capabilities.size {
      buffer.append(" SIZE=")
      buffer.append(delivery.octets.count)
    }
    if delivery.needs8BitMIME { buffer.append(" BODY=8BITMIME") }
    if delivery.needsSMTPUTF8 { buffer.append(" SMTPUTF8") }
    buffer.append("\r\n")
  }

  private func appendRecipient(_ index: Int, to buffer: CommandBuffer) {
    buffer.append("RCPT TO:<")
    buffer.append(delivery.recipients[index])
    buffer.append(">\r\n")
  }

  private func hasAccepted(_ reader: borrowing ReplyReader) -> Bool {
    let replies = reader.replies
    guard replies.count >= octetsPosition, replies[mailPosition].isSuccess else { return false }
    if replies[..<octetsPosition].contains(where: \.isGoodbye) { return false }
    return replies[(mailPosition + 1)..<octetsPosition].contains { $0.isSuccess }
  }

  // MARK: Judgement

  private mutating func judge(_ reader: borrowing ReplyReader) {
    let replies = reader.replies
    let finalPosition = octetsPosition + (manner.chunking ? 0 : 1)
    let final = replies.count > finalPosition ? replies[finalPosition] : nil
    let extras = replies.dropFirst(finalPosition + 1)
    isConnectionSound =
      breach == nil && extras.isEmpty && !reader.hasRest && !replies.contains(where: \.isGoodbye)
    needsReset = final == nil
    // The server waits for octets that nobody was left to get.
    if !manner.chunking, final == nil, replies.count > octetsPosition, replies[octetsPosition].code == 354 {
      isConnectionSound = false
    }

    // What has no reply of its own: taken for all we know, or certainly not.
    let undecided = isHandedOver ? Outcome.unknown : .deferred
    let silence = breach?.words ?? "the server gave no reply that decides"

    if mailPosition == 1, let reset = replies.first, !reset.isSuccess {
      // The transaction before this one is in doubt, and so is every reply of this one.
      isConnectionSound = false
      if isHandedOver, final?.isRefusal != true {
        return decideAll(Fate(.unknown, reader.text(reset)))
      }
      next = reset.isGoodbye ? .goodbye(reader.text(reset)) : .nothingTaken(reader.text(reset))
      return decideAll(Fate(.deferred, reader.text(reset)))
    }
    if isOutOfStep {
      if manner.grouping == .twoFlights { next = .slower }
      let refusal = replies.first(where: \.isRefusal) ?? replies.last
      let words = refusal.map { reader.text($0) } ?? ""
      return decideAll(Fate(.deferred, "the server sent more replies than it was asked for: \(words)"))
    }
    guard replies.count > mailPosition else {
      if !isHandedOver { next = .nothingTaken(silence) }
      return decideAll(Fate(undecided, silence))
    }

    let mail = replies[mailPosition]
    let answers = replies[min(replies.count, mailPosition + 1)..<min(replies.count, octetsPosition)]
    let hasAccepted = answers.contains { $0.isSuccess }
    if manner.chunking, let final, final.isRefusal {
      // Whether the refused octets were read as octets is the server's secret.
      isConnectionSound = false
      if mail.isSuccess, hasAccepted, Judgement.isNoBDAT(final) {
        next = .withoutBDAT
        return decideAll(Fate(.deferred, reader.text(final)))
      }
    }
    if isOutOfSequence(mail, answers, final, extras) {
      isConnectionSound = false
      next = .slower
      return decideAll(Fate(.deferred, "the server answered out of sequence: \(reader.text(final ?? mail))"))
    }
    // Replies that contradict each other: somebody may have got the mail.
    let isContradiction =
      isHandedOver && final?.isSuccess == true
      && (!mail.isSuccess || answers.contains { !$0.isSuccess && !$0.isRefusal })
    guard !isContradiction else {
      isConnectionSound = false
      return decideAll(Fate(.unknown, "the server's replies contradict each other: \(reader.text(mail))"))
    }

    guard mail.isSuccess else {
      let words = reader.text(mail)
      if mail.code == 421 { next = .goodbye(words) }
      if !mail.isRefusal { isConnectionSound = false }
      return decideAll(
        Fate(mail.isRefusal ? Judgement.outcome(of: mail, at: .mail) : undecided, words))
    }
    if case .closed = breach, !isHandedOver, !replies.contains(where: \.isRefusal) {
      next = .nothingTaken(silence)
    }
    judgeRecipients(reader, answers, final, undecided, silence)
  }

  private mutating func judgeRecipients(
    _ reader: borrowing ReplyReader, _ answers: ArraySlice<Reply>, _ final: Reply?, _ undecided: Outcome,
    _ silence: String
  ) {
    let octetsFate = fateOfOctets(reader, final, undecided, silence)
    var surplus: [Int] = []
    fates.reserveCapacity(recipients.count)
    for (place, index) in recipients.enumerated() {
      guard place < answers.count else {
        fates.append((index, Fate(undecided, silence)))
        continue
      }
      let answer = answers[answers.startIndex + place]
      if answer.isSuccess {
        fates.append((index, octetsFate))
      } else if answer.isRefusal {
        if Judgement.isOneTooMany(answer) { surplus.append(index) }
        fates.append((index, Fate(Judgement.outcome(of: answer, at: .recipient), reader.text(answer))))
      } else {
        isConnectionSound = false
        fates.append((index, Fate(undecided, reader.text(answer))))
      }
    }
    // Without one that was taken, the next transaction would fare no better.
    if !surplus.isEmpty, octetsFate.outcome == .sent, surplus.count < recipients.count {
      next = .remaining(surplus)
    }
  }

  /// What became of the recipients that were accepted.
  private mutating func fateOfOctets(
    _ reader: borrowing ReplyReader, _ final: Reply?, _ undecided: Outcome, _ silence: String
  ) -> Fate {
    if let final {
      if final.isSuccess, isHandedOver { return Fate(.sent, reader.text(final)) }
      if final.isRefusal { return Fate(Judgement.outcome(of: final, at: .octets), reader.text(final)) }
      isConnectionSound = false
      return Fate(undecided, reader.text(final))
    }
    // DATA's own reply, where it was refused or wrong.
    if !manner.chunking, reader.replies.count > octetsPosition, !isHandedOver {
      let go = reader.replies[octetsPosition]
      if go.isRefusal { return Fate(Judgement.outcome(of: go, at: .octets), reader.text(go)) }
      if go.code != 354 {
        isConnectionSound = false
        return Fate(.deferred, reader.text(go))
      }
    }
    if let goodbye = reader.replies.first(where: { $0.code == 421 }), !isHandedOver {
      return Fate(.deferred, reader.text(goodbye))
    }
    return Fate(undecided, silence)
  }

  private mutating func decideAll(_ fate: Fate) {
    fates = recipients.map { ($0, fate) }
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

/// Doubles the dots that begin lines, for DATA (RFC 5321, 4.5.2), a buffer at a time.
struct DotStuffing {
  private let octets: UnsafeRawBufferPointer
  private var position = 0
  private var isLineStart = true

  init(_ octets: UnsafeRawBufferPointer) { self.octets = octets }

  /// Appends up to a slice; `true` when the final dot is in it.
  mutating func fill(_ buffer: CommandBuffer) -> Bool {
    // Room for the doubled dot, a missing line end and the final dot.
    let limit = CommandBuffer.slice - 8
    while position < octets.count, buffer.count < limit - 1 {
      if isLineStart, octets[position] == UInt8(ascii: ".") { buffer.append(UInt8(ascii: ".")) }
      let rest = UnsafeRawBufferPointer(rebasing: octets[position...])
      let room = min(rest.count, limit - buffer.count)
      let found = rest.baseAddress.flatMap { memchr($0, 10, room) }
      let length = found.flatMap { end in rest.baseAddress.map { UnsafeRawPointer(end) - $0 + 1 } } ?? room
      buffer.append(UnsafeRawBufferPointer(rebasing: rest[..<length]))
      position += length
      isLineStart = found != nil
    }
    guard position == octets.count else { return false }
    if !octets.isEmpty, !octets.suffix(2).elementsEqual([13, 10]) { buffer.append("\r\n") }
    buffer.append(".\r\n")
    return true
  }
}
