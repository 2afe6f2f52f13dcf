/// How a mail transaction is put on the wire.
struct Manner: Equatable, Sendable {
  /// How many commands go out before an answer is awaited.
  enum Grouping: Sendable {
    /// MAIL, RCPT… and BDAT with all octets: one round trip.
    case oneFlight
    /// MAIL and RCPT… (and DATA), then the octets: two round trips.
    case twoFlights
    /// Each command by itself.
    case lockStep
  }

  let grouping: Grouping
  /// BDAT instead of DATA.
  let chunking: Bool

  /// The fastest manner that is safe: `isStale` after a pause in which the connection may have died unseen.
  init(_ capabilities: Capabilities, habits: Habits, isStale: Bool) {
    chunking = capabilities.chunking && !habits.contains(.withoutBDAT)
    grouping =
      if !capabilities.pipelining || habits.contains(.outOfStep) {
        .lockStep
      } else if chunking, !isStale, !habits.contains(.outOfSequence) {
        .oneFlight
      } else {
        .twoFlights
      }
  }
}

/// What a server has been seen to do against its own word, as the operator is told of it.
enum Habit: String, Sendable, CaseIterable {
  case withoutBDAT = "offers CHUNKING and doesn't know BDAT: it gets DATA"
  case outOfSequence = "answers a group out of sequence: it gets two flights a mail"
  case outOfStep = "can't keep step with groups: it gets one command at a time"
}

/// A server's habits: one bit each, so that every mail reads them without a lock.
struct Habits: OptionSet, Sendable {
  let rawValue: UInt8

  init(rawValue: UInt8) { self.rawValue = rawValue }
  init(_ habit: Habit) {
    rawValue =
      switch habit {
      case .withoutBDAT: 1
      case .outOfSequence: 2
      case .outOfStep: 4
      }
  }

  func contains(_ habit: Habit) -> Bool { contains(Habits(habit)) }
}
