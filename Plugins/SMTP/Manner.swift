/// How a mail transaction is put on the wire.
struct TransactionMode: Equatable, Sendable {
  /// How many commands go out before an answer is awaited.
  enum Grouping: Sendable {
    /// MAIL, RCPT… and BDAT with all octets: one round trip.
    case pipelinedWithBody
    /// MAIL and RCPT… (and DATA), then the octets: two round trips.
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
