/// One mail transaction over one connection: puts it on the wire.
struct Transaction {
  private let delivery: Delivery
  private let capabilities: Capabilities
  private var transcript: Transcript

  /// A transaction for some of the delivery's recipients, by their indices.
  init(_ delivery: Delivery, recipients: [Int], manner: Manner, capabilities: Capabilities) {
    self.delivery = delivery
    self.capabilities = capabilities
    transcript = Transcript(recipients: recipients, manner: manner)
  }

  /// Puts the transaction on the wire and judges what came of it.
  mutating func run(_ dialogue: Dialogue, _ buffer: CommandBuffer, resetFirst: Bool) -> Conclusion {
    dialogue.reader.reset()
    do throws(Breach) {
      switch transcript.manner.grouping {
      case .oneFlight: try oneFlight(dialogue, buffer, resetFirst)
      case .twoFlights: try twoFlights(dialogue, buffer, resetFirst)
      case .lockStep: try lockStep(dialogue, buffer, resetFirst)
      }
    } catch {
      transcript.breach = error
    }
    return transcript.judged(by: dialogue.reader)
  }

  private mutating func oneFlight(
    _ dialogue: Dialogue, _ buffer: CommandBuffer, _ resetFirst: Bool
  ) throws(Breach) {
    appendEnvelope(to: buffer, resetFirst)
    transcript.octetsPosition = transcript.mailPosition + 1 + transcript.recipients.count
    dialogue.reader.awaited = transcript.octetsPosition + 1
    try sendChunk(dialogue, buffer)
    try dialogue.awaitReplies(transcript.octetsPosition + 1)
  }

  private mutating func twoFlights(
    _ dialogue: Dialogue, _ buffer: CommandBuffer, _ resetFirst: Bool
  ) throws(Breach) {
    appendEnvelope(to: buffer, resetFirst)
    transcript.octetsPosition = transcript.mailPosition + 1 + transcript.recipients.count
    if !transcript.manner.chunking { buffer.append("DATA\r\n") }
    let expected = transcript.octetsPosition + (transcript.manner.chunking ? 0 : 1)
    dialogue.reader.awaited = expected
    try dialogue.send(buffer.octets, stop: Self.endsAll)
    try dialogue.awaitReplies(expected)
    transcript.isOutOfStep = dialogue.reader.replies.count > expected || dialogue.reader.hasRest
    if !transcript.manner.chunking, let go = dialogue.reader.replies.last, go.code != 354, !go.isRefusal {
      transcript.isOutOfStep = true
    }
    guard !transcript.isOutOfStep, transcript.hasAccepted(dialogue.reader) else { return }
    try sendOctets(dialogue, buffer)
  }

  private mutating func lockStep(
    _ dialogue: Dialogue, _ buffer: CommandBuffer, _ resetFirst: Bool
  ) throws(Breach) {
    transcript.octetsPosition = 1 + transcript.recipients.count
    buffer.removeAll()
    if resetFirst {
      buffer.append("RSET\r\n")
      transcript.mailPosition = 1
      try ask(dialogue, buffer)
      guard !transcript.isOutOfStep, dialogue.reader.replies.last?.isSuccess == true else { return }
      // Its reply isn't one of the transaction's.
      transcript.mailPosition = 0
      dialogue.reader.reset()
      buffer.removeAll()
    }
    appendMail(to: buffer)
    try ask(dialogue, buffer)
    guard !transcript.isOutOfStep, dialogue.reader.replies.last?.isSuccess == true else { return }
    for index in transcript.recipients {
      buffer.removeAll()
      appendRecipient(index, to: buffer)
      try ask(dialogue, buffer)
      if transcript.isOutOfStep || dialogue.reader.replies.last?.isGoodbye == true { return }
    }
    guard transcript.hasAccepted(dialogue.reader) else { return }
    if !transcript.manner.chunking {
      buffer.removeAll()
      buffer.append("DATA\r\n")
      try ask(dialogue, buffer)
      if transcript.isOutOfStep { return }
    }
    try sendOctets(dialogue, buffer)
  }

  private mutating func ask(_ dialogue: Dialogue, _ buffer: CommandBuffer) throws(Breach) {
    let count = dialogue.reader.replies.count + 1
    dialogue.reader.awaited = count
    guard try isQuiet(dialogue) else { return }
    try dialogue.send(buffer.octets, stop: Self.endsAll)
    try dialogue.awaitReplies(count)
    transcript.isOutOfStep = dialogue.reader.replies.count > count || dialogue.reader.hasRest
  }

  /// Whether nothing has come since the last reply: it would pass for the answer to what goes out next.
  private mutating func isQuiet(_ dialogue: Dialogue) throws(Breach) -> Bool {
    let before = dialogue.reader.replies.last?.code
    guard try dialogue.readAvailable() else { return true }
    // Whoever takes 354 back has refused the octets.
    if before == 354, dialogue.reader.replies.count == dialogue.reader.awaited, !dialogue.reader.hasRest,
      dialogue.reader.replies.last?.isRefusal == true
    {
      throw .refused
    }
    transcript.isOutOfStep = true
    return false
  }

  /// The second flight: BDAT with the octets; or, once 354 has come, the octets with their dots doubled.
  private mutating func sendOctets(_ dialogue: Dialogue, _ buffer: CommandBuffer) throws(Breach) {
    buffer.removeAll()
    let known = dialogue.reader.replies.count
    dialogue.reader.awaited = known + 1
    guard try isQuiet(dialogue) else { return }
    if transcript.manner.chunking {
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
      transcript.isHandedOver = true
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
    let (mail, octets) = (transcript.mailPosition, transcript.octetsPosition)
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
    transcript.isHandedOver = true
  }

  private static func endsAll(_ reader: borrowing ReplyReader) -> Bool {
    reader.replies.last?.isGoodbye == true
  }

  private mutating func appendEnvelope(
    to buffer: CommandBuffer, _ resetFirst: Bool
  ) {
    buffer.removeAll()
    if resetFirst { buffer.append("RSET\r\n") }
    transcript.mailPosition = resetFirst ? 1 : 0
    appendMail(to: buffer)
    for index in transcript.recipients { appendRecipient(index, to: buffer) }
  }

  private func appendMail(to buffer: CommandBuffer) {
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
}
