/// The replies of a session that have to be written, and how many of them were errors.
struct SMTPReplyQueue {
  private(set) var bytes: [UInt8] = []
  private var errors = 0
  private var idleCommands = 0
  private let policy: SMTPSessionPolicy

  init(_ policy: SMTPSessionPolicy) { self.policy = policy }

  /// Returns the bytes and empties the queue.
  mutating func take() -> [UInt8] { exchange(&bytes, with: []) }

  /// Appends a reply that isn't counted.
  mutating func append(_ reply: SMTPReply) { reply.append(to: &bytes) }

  /// Appends a reply; one of 5xx is an error. Returns whether there are too many errors now.
  mutating func append(_ reply: SMTPReply, isError: Bool) -> Bool {
    append(reply)
    guard isError || reply.code >= 500 else { return false }
    errors += 1
    return errors >= policy.maxErrors
  }

  /// Appends the reply to a command that brings no mail nearer; too many of them are errors.
  mutating func appendIdle(_ reply: SMTPReply) -> Bool {
    idleCommands += 1
    return append(reply, isError: idleCommands > policy.maxIdleCommands)
  }

  /// Forgets what was counted, because a mail was accepted.
  mutating func resetCounts() {
    errors = 0
    idleCommands = 0
  }
}
