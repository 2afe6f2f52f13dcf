internal import NIOCore
internal import PabalCore

/// When a connection began and was last answered, and so how long it may wait for input.
struct ConnectionClock {
  private let times: ConnectionTimes
  private var started = NIODeadline.now()
  private var answered = NIODeadline.now()

  init(_ times: ConnectionTimes) { self.times = times }

  /// Records that the connection begins.
  mutating func start(at now: NIODeadline) { started = now }

  /// Records that the client is answered.
  mutating func answer(at now: NIODeadline) { answered = now }

  /// Returns until when input has to arrive. `content` is the deadline of content that is arriving.
  func inputDeadline(
    isStranger: Bool, content: NIODeadline?, _ limits: SubmissionLimits
  ) -> NIODeadline {
    let idle = answered + TimeAmount(limits.idle)
    if isStranger {
      // From the last reply on, not from the last byte, because a slow client could send one at a time.
      return min(answered + times.stranger, started + times.strangerTotal, idle)
    }
    return content ?? min(idle, started + TimeAmount(limits.time))
  }
}
