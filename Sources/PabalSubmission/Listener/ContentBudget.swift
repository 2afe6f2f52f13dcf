internal import Synchronization

/// The memory of all mails that are arriving.
final class ContentBudget: Sendable {
  private let used = Mutex(0)

  /// Changes what one connection holds from `old` to `new` bytes. Returns `false`, and changes nothing, if all of them
  /// together would then hold more than `limit`.
  func resize(from old: Int, to new: Int, limit: Int) -> Bool {
    used.withLock { used in
      guard new <= old || used + new - old <= limit else { return false }
      used += new - old
      return true
    }
  }

  /// The bytes that are held.
  var size: Int { used.withLock { $0 } }
}
