import Foundation
import Synchronization

/// Runs `work` for each element on its own thread, because blocking calls must not occupy the concurrency pool.
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

/// Work on its own thread, for tests with time limits that must not wait for tasks of other tests.
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

  /// The result; blocks until the work has ended. Must be read once.
  public var value: Result {
    ended.wait()
    guard let value = result.withLock({ $0 }) else { preconditionFailure("the work ended without a result") }
    return value
  }
}

/// Waits until `condition` is true; throws after 90 seconds.
public func eventually(_ condition: () throws -> Bool) throws {
  let deadline = ContinuousClock.now + .seconds(90)
  while try !condition() {
    guard ContinuousClock.now < deadline else { throw TestError("timed out waiting for a condition") }
    usleep(20_000)
  }
}
