/// One mail transaction over one connection: puts it on the wire.
struct SMTPTransaction {
  private let mail: SMTPMessage
  private let capabilities: Capabilities
  private var state: TransactionState

  /// A transaction for some of the delivery's recipients, by their indices.
  init(_ mail: SMTPMessage, recipients: [Int], mode: TransactionMode, capabilities: Capabilities) {
    self.mail = mail
    self.capabilities = capabilities
    state = TransactionState(recipients: recipients, mode: mode)
  }

  /// Puts the transaction on the wire and judges what came of it.
  mutating func run(_ stream: SMTPStream, _ buffer: CommandBuffer, resetFirst: Bool) -> TransactionResult {
    stream.parser.reset()
    do throws(SMTPStreamError) {
      switch state.mode.grouping {
      case .pipelinedWithBody: try pipelinedWithBody(stream, buffer, resetFirst)
      case .pipelinedEnvelope: try pipelinedEnvelope(stream, buffer, resetFirst)
      case .lockStep: try lockStep(stream, buffer, resetFirst)
      }
    } catch {
      state.streamError = error
    }
    return state.result(from: stream.parser)
  }

  private mutating func pipelinedWithBody(
    _ stream: SMTPStream, _ buffer: CommandBuffer, _ resetFirst: Bool
  ) throws(SMTPStreamError) {
    appendEnvelope(to: buffer, resetFirst)
    state.contentPosition = state.mailPosition + 1 + state.recipients.count
    stream.parser.expectedCount = state.contentPosition + 1
    try sendChunk(stream, buffer)
    try stream.awaitReplies(state.contentPosition + 1)
  }

  private mutating func pipelinedEnvelope(
    _ stream: SMTPStream, _ buffer: CommandBuffer, _ resetFirst: Bool
  ) throws(SMTPStreamError) {
    appendEnvelope(to: buffer, resetFirst)
    state.contentPosition = state.mailPosition + 1 + state.recipients.count
    if !state.mode.chunking { buffer.append("DATA\r\n") }
    let expected = state.contentPosition + (state.mode.chunking ? 0 : 1)
    stream.parser.expectedCount = expected
    try stream.send(buffer.bytes, stop: Self.isClosing)
    try stream.awaitReplies(expected)
    state.isDesynchronized = stream.parser.replies.count > expected || stream.parser.hasPartialReply
    if !state.mode.chunking, let dataReply = stream.parser.replies.last, dataReply.code != 354,
      !dataReply.isRefusal
    {
      state.isDesynchronized = true
    }
    guard !state.isDesynchronized, state.hasAccepted(stream.parser) else { return }
    try sendContent(stream, buffer)
  }

  private mutating func lockStep(
    _ stream: SMTPStream, _ buffer: CommandBuffer, _ resetFirst: Bool
  ) throws(SMTPStreamError) {
    state.contentPosition = 1 + state.recipients.count
    buffer.removeAll()
    if resetFirst {
      buffer.append("RSET\r\n")
      state.mailPosition = 1
      try sendCommand(stream, buffer)
      guard !state.isDesynchronized, stream.parser.replies.last?.isSuccess == true else { return }
      // Its reply isn't one of the transaction's.
      state.mailPosition = 0
      stream.parser.reset()
      buffer.removeAll()
    }
    appendMail(to: buffer)
    try sendCommand(stream, buffer)
    guard !state.isDesynchronized, stream.parser.replies.last?.isSuccess == true else { return }
    for index in state.recipients {
      buffer.removeAll()
      appendRecipient(index, to: buffer)
      try sendCommand(stream, buffer)
      if state.isDesynchronized || stream.parser.replies.last?.closesConnection == true { return }
    }
    guard state.hasAccepted(stream.parser) else { return }
    if !state.mode.chunking {
      buffer.removeAll()
      buffer.append("DATA\r\n")
      try sendCommand(stream, buffer)
      if state.isDesynchronized { return }
    }
    try sendContent(stream, buffer)
  }

  private mutating func sendCommand(_ stream: SMTPStream, _ buffer: CommandBuffer) throws(SMTPStreamError) {
    let count = stream.parser.replies.count + 1
    stream.parser.expectedCount = count
    guard try hasNoUnsolicitedReply(stream) else { return }
    try stream.send(buffer.bytes, stop: Self.isClosing)
    try stream.awaitReplies(count)
    state.isDesynchronized = stream.parser.replies.count > count || stream.parser.hasPartialReply
  }

  /// Whether nothing has come since the last reply: it would pass for the answer to what goes out next.
  private mutating func hasNoUnsolicitedReply(_ stream: SMTPStream) throws(SMTPStreamError) -> Bool {
    let before = stream.parser.replies.last?.code
    guard try stream.readAvailable() else { return true }
    // Whoever takes 354 back has refused the bytes.
    if before == 354, stream.parser.replies.count == stream.parser.expectedCount,
      !stream.parser.hasPartialReply,
      stream.parser.replies.last?.isRefusal == true
    {
      throw .refused
    }
    state.isDesynchronized = true
    return false
  }

  /// The second flight: BDAT with the bytes; or, once 354 has come, the bytes with their dots doubled.
  private mutating func sendContent(_ stream: SMTPStream, _ buffer: CommandBuffer) throws(SMTPStreamError) {
    buffer.removeAll()
    let known = stream.parser.replies.count
    stream.parser.expectedCount = known + 1
    guard try hasNoUnsolicitedReply(stream) else { return }
    if state.mode.chunking {
      try sendChunk(stream, buffer)
    } else {
      guard stream.parser.replies.last?.code == 354 else { return }
      var stuffing = DotStuffing(mail.bytes)
      while true {
        buffer.removeAll()
        let isLast = stuffing.fill(buffer)
        // A reply now can only be a refusal, or a server that has lost its place.
        try stream.send(buffer.bytes) { parser in parser.replies.count > known || parser.hasPartialReply }
        if isLast { break }
      }
      state.isFullySent = true
    }
    try stream.awaitReplies(known + 1)
  }

  /// BDAT and all bytes: the first slice holds what stands in `buffer` already, the rest goes from the mail's
  /// own memory.
  private mutating func sendChunk(_ stream: SMTPStream, _ buffer: CommandBuffer) throws(SMTPStreamError) {
    buffer.append("BDAT ")
    buffer.append(mail.bytes.count)
    buffer.append(" LAST\r\n")
    let firstPartCount = min(mail.bytes.count, buffer.roomInRecord)
    buffer.append(UnsafeRawBufferPointer(rebasing: mail.bytes[..<firstPartCount]))
    let (mailIndex, bytes) = (state.mailPosition, state.contentPosition)
    // Once nobody is left to take it for, the rest of a large mail stays here.
    let isRefused: (borrowing ReplyParser) -> Bool = { parser in
      if Self.isClosing(parser) || parser.replies.count > bytes { return true }
      guard parser.replies.count > mailIndex else { return false }
      if parser.replies[mailIndex].isRefusal { return true }
      return parser.replies.count == bytes
        && !parser.replies[(mailIndex + 1)..<bytes].contains { $0.isSuccess }
    }
    try stream.send(buffer.bytes, stop: isRefused)
    if firstPartCount < mail.bytes.count {
      try stream.send(UnsafeRawBufferPointer(rebasing: mail.bytes[firstPartCount...]), stop: isRefused)
    }
    state.isFullySent = true
  }

  private static func isClosing(_ parser: borrowing ReplyParser) -> Bool {
    parser.replies.last?.closesConnection == true
  }

  private mutating func appendEnvelope(
    to buffer: CommandBuffer, _ resetFirst: Bool
  ) {
    buffer.removeAll()
    if resetFirst { buffer.append("RSET\r\n") }
    state.mailPosition = resetFirst ? 1 : 0
    appendMail(to: buffer)
    for index in state.recipients { appendRecipient(index, to: buffer) }
  }

  private func appendMail(to buffer: CommandBuffer) {
    buffer.append("MAIL FROM:<")
    buffer.append(mail.sender)
    buffer.append(UInt8(ascii: ">"))
    if capabilities.size {
      buffer.append(" SIZE=")
      buffer.append(mail.bytes.count)
    }
    if mail.needs8BitMIME { buffer.append(" BODY=8BITMIME") }
    if mail.needsSMTPUTF8 { buffer.append(" SMTPUTF8") }
    buffer.append("\r\n")
  }

  private func appendRecipient(_ index: Int, to buffer: CommandBuffer) {
    buffer.append("RCPT TO:<")
    buffer.append(mail.recipients[index])
    buffer.append(">\r\n")
  }
}

/// How a mail transaction is put on the wire.
struct TransactionMode: Equatable, Sendable {
  /// How many commands go out before an answer is awaited.
  enum Grouping: Sendable {
    /// MAIL, RCPT… and BDAT with all bytes: one round trip.
    case pipelinedWithBody
    /// MAIL and RCPT… (and DATA), then the bytes: two round trips.
    case pipelinedEnvelope
    /// Each command by itself.
    case lockStep
  }

  let grouping: Grouping
  /// BDAT instead of DATA.
  let chunking: Bool

  /// The fastest manner that is safe: `isStale` after a pause in which the connection may have died unseen.
  init(_ capabilities: Capabilities, quirks: ServerQuirks, isStale: Bool) {
    chunking = capabilities.chunking && !quirks.contains(.bdatUnsupported)
    grouping =
      if !capabilities.pipelining || quirks.contains(.losesSynchronization) {
        .lockStep
      } else if chunking, !isStale, !quirks.contains(.repliesOutOfSequence) {
        .pipelinedWithBody
      } else {
        .pipelinedEnvelope
      }
  }
}

/// What a server has been seen to do against its own word, as the operator is told of it.
enum ServerQuirk: String, Sendable, CaseIterable {
  case bdatUnsupported = "offers CHUNKING and doesn't know BDAT: it gets DATA"
  case repliesOutOfSequence = "answers a group out of sequence: it gets two flights a mail"
  case losesSynchronization = "can't keep step with groups: it gets one command at a time"
}

/// A server's habits: one bit each, so that every mail reads them without a lock.
struct ServerQuirks: OptionSet, Sendable {
  let rawValue: UInt8

  init(rawValue: UInt8) { self.rawValue = rawValue }
  init(_ quirk: ServerQuirk) {
    rawValue =
      switch quirk {
      case .bdatUnsupported: 1
      case .repliesOutOfSequence: 2
      case .losesSynchronization: 4
      }
  }

  func contains(_ quirk: ServerQuirk) -> Bool { contains(ServerQuirks(quirk)) }
}
