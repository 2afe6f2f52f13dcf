import Foundation
import Synchronization

/// Runs `work` for each element on a thread of its own; blocking calls must not hold the pool's few threads.
public func mapOnThreads<Element: Sendable, Result: Sendable>(
  _ elements: [Element], _ work: @escaping @Sendable (Element) -> Result
) async -> [Result] {
  await withTaskGroup(of: (Int, Result).self) { group in
    for (index, element) in elements.enumerated() {
      group.addTask {
        await withCheckedContinuation { continuation in
          Thread.detachNewThread { continuation.resume(returning: (index, work(element))) }
        }
      }
    }
    var results: [(Int, Result)] = []
    for await result in group { results.append(result) }
    return results.sorted { $0.0 < $1.0 }.map(\.1)
  }
}

/// Work on a thread of its own, for tests that must not wait their turn among all others' tasks while a program that
/// they started has its time.
public final class ThreadTask<Result: Sendable>: Sendable {
  private let ended = DispatchSemaphore(value: 0)
  private let result = Mutex<Result?>(nil)

  /// Starts `work`.
  public init(_ work: @escaping @Sendable () -> Result) {
    Thread.detachNewThread { [self] in
      let value = work()
      result.withLock { $0 = value }
      ended.signal()
    }
  }

  /// What it came to; blocks, and is asked once.
  public var value: Result {
    ended.wait()
    guard let value = result.withLock({ $0 }) else { preconditionFailure("work that ended left nothing") }
    return value
  }
}

/// Returns once `condition` holds; throws when it doesn't within a minute and a half, for a program that was waited
/// for has then ended or hangs.
public func eventually(_ condition: () throws -> Bool) throws {
  let deadline = ContinuousClock.now + .seconds(90)
  while try !condition() {
    guard ContinuousClock.now < deadline else { throw TestError("what was waited for never came") }
    usleep(20_000)
  }
}
