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
enum Habit: String, Sendable {
  case withoutBDAT = "offers CHUNKING and doesn't know BDAT: it gets DATA"
  case outOfSequence = "answers a group out of sequence: it gets two flights a mail"
  case outOfStep = "can't keep step with groups: it gets one command at a time"
}

/// A server's habits.
struct Habits: Equatable, Sendable {
  private var known: Set<Habit> = []

  init() {}

  /// Remembers a habit; `false` when it was known.
  mutating func learn(_ habit: Habit) -> Bool { known.insert(habit).inserted }

  func contains(_ habit: Habit) -> Bool { known.contains(habit) }
}
