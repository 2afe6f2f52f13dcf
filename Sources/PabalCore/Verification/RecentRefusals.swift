internal import Synchronization

/// The digests whose limits refused a start recently, or refuse the next one.
///
/// It refuses nothing itself. It says for which starts the limits are worth reading before the mail is rendered, so that
/// others don't pay for that and a refund, a correct code or a changed clock counts at once.
final class RecentRefusals: Sendable {
  private struct State {
    var newer: [[UInt8]: Timestamp] = [:]
    var older: [[UInt8]: Timestamp] = [:]
  }

  private let capacity: Int
  private let state = Mutex(State())

  /// An empty record. It forgets its older half when it has `capacity` digests, of which each takes about 100 bytes; a
  /// forgotten refusal costs one rendering.
  init(capacity: Int = 16_384) { self.capacity = capacity }

  /// Adds digests that are refused until a time.
  func add(_ keys: [[UInt8]], until end: Timestamp) {
    state.withLock { state in
      for key in keys {
        if state.newer.count >= capacity / 2 { (state.newer, state.older) = ([:], state.newer) }
        state.newer[key] = end
      }
    }
  }

  /// Returns whether one of the digests is refused at `now`, as far as is known here.
  func includes(_ keys: [[UInt8]], at now: Timestamp) -> Bool {
    state.withLock { state in
      keys.contains { key in (state.newer[key] ?? state.older[key]).map { $0 > now } ?? false }
    }
  }

  /// The number of digests, at most the capacity.
  var count: Int { state.withLock { $0.newer.count + $0.older.count } }
}
