/// One mail transaction: MAIL, RCPT and the body, over one connection.
struct SMTPTransaction {
  private let mail: SMTPMessage
  private let capabilities: Capabilities
  private var state: TransactionState
  /// How many bytes of commands and content follow the last reply that was awaited.
  private var flightCount = 0
  private var repliesBeforeFlight = 0

  /// A transaction for some of the mail's recipients, given by their indices.
  init(_ mail: SMTPMessage, recipients: [Int], mode: TransactionMode, capabilities: Capabilities) {
    self.mail = mail
    self.capabilities = capabilities
    state = TransactionState(recipients: recipients, mode: mode)
  }

  /// Sends the commands, reads the replies and returns what they mean.
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
      if case .closed = error, state.isFullySent, stream.parser.replies.count == repliesBeforeFlight,
        !stream.parser.hasPartialReply, stream.isUndelivered(flightCount)
      {
        state.isFullySent = false
      }
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
    try stream.awaitFinalReplies(state.contentPosition + 1, flightCount: flightCount)
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
      // The reply to RSET doesn't belong to the transaction.
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

  /// Whether nothing has arrived since the last reply. It would be taken for the reply to the next command.
  private mutating func hasNoUnsolicitedReply(_ stream: SMTPStream) throws(SMTPStreamError) -> Bool {
    let before = stream.parser.replies.last?.code
    guard try stream.readAvailable() else { return true }
    // A refusal right after 354 refuses the body.
    if before == 354, stream.parser.replies.count == stream.parser.expectedCount,
      !stream.parser.hasPartialReply,
      stream.parser.replies.last?.isRefusal == true
    {
      throw .refused
    }
    state.isDesynchronized = true
    return false
  }

  /// Sends the body as the second group: by BDAT, or dot-stuffed after 354.
  private mutating func sendContent(_ stream: SMTPStream, _ buffer: CommandBuffer) throws(SMTPStreamError) {
    buffer.removeAll()
    let known = stream.parser.replies.count
    repliesBeforeFlight = known
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
        // A reply before the final dot is a refusal, or the server is out of step.
        try stream.send(buffer.bytes) { parser in parser.replies.count > known || parser.hasPartialReply }
        flightCount += buffer.count
        if isLast { break }
      }
      state.isFullySent = true
    }
    try stream.awaitFinalReplies(known + 1, flightCount: flightCount)
  }

  /// Appends BDAT and the start of the body to `buffer`, so that they leave in one TLS record with the commands
  /// before them, and sends the rest of the body from the mail's own memory.
  private mutating func sendChunk(_ stream: SMTPStream, _ buffer: CommandBuffer) throws(SMTPStreamError) {
    buffer.append("BDAT ")
    buffer.append(mail.bytes.count)
    buffer.append(" LAST\r\n")
    let firstPartCount = min(mail.bytes.count, buffer.roomInRecord)
    buffer.append(UnsafeRawBufferPointer(rebasing: mail.bytes[..<firstPartCount]))
    let (mailIndex, contentIndex) = (state.mailPosition, state.contentPosition)
    // Stops a large body once all recipients are refused.
    let isRefused: (borrowing ReplyParser) -> Bool = { parser in
      if Self.isClosing(parser) || parser.replies.count > contentIndex { return true }
      guard parser.replies.count > mailIndex else { return false }
      if parser.replies[mailIndex].isRefusal { return true }
      return parser.replies.count == contentIndex
        && !parser.replies[(mailIndex + 1)..<contentIndex].contains { $0.isSuccess }
    }
    try stream.send(buffer.bytes, stop: isRefused)
    if firstPartCount < mail.bytes.count {
      try stream.send(UnsafeRawBufferPointer(rebasing: mail.bytes[firstPartCount...]), stop: isRefused)
    }
    flightCount = buffer.count + mail.bytes.count - firstPartCount
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

/// How the commands of a transaction are grouped, and how the body is sent.
struct TransactionMode: Equatable, Sendable {
  /// How many commands are sent before waiting for replies.
  enum Grouping: Sendable {
    /// MAIL, RCPT… and BDAT with the body: one round trip.
    case pipelinedWithBody
    /// MAIL and RCPT… (and DATA), then the body: two round trips.
    case pipelinedEnvelope
    /// One command at a time.
    case lockStep
  }

  let grouping: Grouping
  /// Whether the body is sent by BDAT instead of DATA.
  let chunking: Bool

  /// The mode with the fewest round trips that is safe. `isStale`: the connection may be half-open. `findsCommand`:
  /// whether the mail contains a line that a server could run as a command; it is asked only if it matters.
  init(
    _ capabilities: Capabilities, quirks: ServerQuirks, isStale: Bool, findsCommand: () -> Bool = { false }
  ) {
    // With DATA, the content is sent only after 354, so that no server can read it as commands.
    chunking = capabilities.chunking && !quirks.contains(.bdatUnsupported) && !findsCommand()
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

/// A way in which a server contradicts its own EHLO reply; the raw value is the log line after the server's name.
enum ServerQuirk: String, Sendable, CaseIterable {
  case bdatUnsupported = "offers CHUNKING but rejects BDAT; using DATA"
  case repliesOutOfSequence = "answers pipelined commands out of sequence; using two round trips per mail"
  case losesSynchronization = "can't handle pipelined commands; sending one command at a time"
}

/// A set of quirks, one bit each, so that an atomic holds it.
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
