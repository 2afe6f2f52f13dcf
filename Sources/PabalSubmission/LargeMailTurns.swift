internal import Synchronization

/// Lets large mails be finished and stored one after the other, because each takes several times its size meanwhile.
final class LargeMailTurns: Sendable {
  /// The size in bytes from which a mail waits for its turn. A thousand smaller ones at once take no more memory than one
  /// of the largest.
  static let threshold = 1 << 20

  private struct State {
    var isTaken = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  /// Runs `body` when no other large mail's is running, in the order of the calls; at once for a small mail.
  func run<Result: Sendable>(size: Int, _ body: () async -> Result) async -> Result {
    guard size >= LargeMailTurns.threshold else { return await body() }
    await begin()
    let result = await body()
    end()
    return result
  }

  private func begin() async {
    await withCheckedContinuation { continuation in
      let isFree = state.withLock { state in
        if state.isTaken { state.waiting.append(continuation) }
        return !exchange(&state.isTaken, with: true)
      }
      if isFree { continuation.resume() }
    }
  }

  private func end() {
    let next: CheckedContinuation<Void, Never>? = state.withLock { state in
      guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
      state.isTaken = false
      return nil
    }
    next?.resume()
  }
}
