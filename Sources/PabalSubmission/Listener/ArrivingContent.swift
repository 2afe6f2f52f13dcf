internal import NIOCore
internal import PabalCore
internal import Synchronization

/// The content that one connection is receiving: its part of the memory for arriving mail, and the pace that it keeps.
struct ArrivingContent {
  /// Memory that outlives the connection, until the mail in it is stored.
  struct Hold: Sendable {
    fileprivate let owner: String
    fileprivate let size: Int
  }

  private let budget: ContentBudget
  private let times: ConnectionTimes
  private var owner = ""
  private var held = 0
  /// Until when more content has to arrive; `nil` while none is arriving.
  private(set) var deadline: NIODeadline?

  init(_ budget: ContentBudget, _ times: ConnectionTimes) {
    self.budget = budget
    self.times = times
  }

  /// Records that content is arriving.
  mutating func begin(at now: NIODeadline) {
    if deadline == nil { deadline = now + times.contentBase }
  }

  /// Records that no content is arriving.
  mutating func end() { deadline = nil }

  /// Records that some content has arrived: a KiB gives a second more. However fast it came, the next has to follow soon,
  /// so that a client can't hold the memory of a large mail for hours.
  mutating func receive(_ bytes: Int, at now: NIODeadline) {
    guard let deadline else { return }
    let earned = TimeAmount.nanoseconds(Int64(bytes) * 1_000_000_000 / 1_024)
    self.deadline = min(deadline + earned, max(deadline, now + times.content))
  }

  /// Changes how much memory is held for `submitter`. Returns `false` if that would be too much of the memory for all, or
  /// of the half of it that one submitter may have.
  mutating func hold(_ bytes: Int, for submitter: Submitter?, _ limits: SubmissionLimits) -> Bool {
    guard bytes != held else { return true }
    if held == 0 { owner = submitter?.description ?? "" }
    // A mail of the maximum size always fits.
    let share = max(limits.memory / 2, limits.size)
    guard budget.resize(owner, from: held, to: bytes, limit: limits.memory, share: share) else {
      return false
    }
    held = bytes
    return true
  }

  /// Frees the memory.
  mutating func release() { budget.release(detach()) }

  /// Passes the memory on to a mail that is being stored.
  mutating func detach() -> Hold { Hold(owner: owner, size: exchange(&held, with: 0)) }
}

/// The memory of all mails that are arriving or being stored.
final class ContentBudget: Sendable {
  private struct State {
    var total = 0
    var shares: [String: Int] = [:]
  }

  private let state = Mutex(State())

  /// The bytes that are held.
  var size: Int { state.withLock { $0.total } }

  /// Changes what one connection holds for `owner` from `old` to `new` bytes. Returns `false`, and changes nothing, if all
  /// would then hold more than `limit`, or the owner more than `share`.
  fileprivate func resize(_ owner: String, from old: Int, to new: Int, limit: Int, share: Int) -> Bool {
    state.withLock { state in
      let change = new - old
      let own = state.shares[owner, default: 0] + change
      guard change <= 0 || state.total + change <= limit && own <= share else { return false }
      state.total += change
      state.shares[owner] = own > 0 ? own : nil
      return true
    }
  }

  /// Frees memory that was passed on.
  func release(_ hold: ArrivingContent.Hold) {
    _ = resize(hold.owner, from: hold.size, to: 0, limit: .max, share: .max)
  }
}
