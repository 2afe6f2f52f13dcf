internal import PabalCore
internal import Synchronization

/// The memory that all requests take for bodies over `bodyLimit`, until the mails in them are stored.
final class MailMemory: Sendable {
  private struct State {
    var total = 0
    var shares: [Caller: Int] = [:]
  }

  /// What one request holds of the memory; it must be released.
  final class Hold: Sendable {
    private let memory: MailMemory
    private let owner: Caller
    private let limits: MailRequestLimits
    private let size = Mutex(0)

    fileprivate init(_ memory: MailMemory, _ owner: Caller, _ limits: MailRequestLimits) {
      self.memory = memory
      self.owner = owner
      self.limits = limits
    }

    /// Changes how much is held. Returns `false`, and changes nothing, if that would be more than all may hold together,
    /// or than the half of it that one client may hold.
    func resize(to new: Int) -> Bool {
      size.withLock { size in
        guard memory.resize(owner, from: size, to: new, limits) else { return false }
        size = new
        return true
      }
    }

    /// Frees the memory.
    func release() { _ = resize(to: 0) }
  }

  private let state = Mutex(State())

  /// The bytes that are held.
  var size: Int { state.withLock { $0.total } }

  /// Returns what a request of `owner` will hold, at first nothing.
  func hold(for owner: Caller, _ limits: MailRequestLimits) -> Hold { Hold(self, owner, limits) }

  private func resize(_ owner: Caller, from old: Int, to new: Int, _ limits: MailRequestLimits) -> Bool {
    // A mail of the maximum size always fits.
    let share = max(limits.memory / 2, limits.size)
    return state.withLock { state in
      let change = new - old
      let own = state.shares[owner, default: 0] + change
      guard change <= 0 || state.total + change <= limits.memory && own <= share else { return false }
      state.total += change
      state.shares[owner] = own > 0 ? own : nil
      return true
    }
  }
}
