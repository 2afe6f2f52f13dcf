import Dispatch
package import PabalCommand
import Synchronization

/// Runs `work` as a task, blocks the calling thread until it has ended, and returns its value.
///
/// Must not be called from a task, whose thread belongs to Swift's pool.
package func blockingAwait<Value: Sendable>(
  _ work: @escaping @Sendable () async throws(CommandError) -> Value
) throws(CommandError) -> Value {
  let ended = DispatchSemaphore(value: 0)
  let result = Mutex<Result<Value, CommandError>?>(nil)
  Task.detached {
    let value: Result<Value, CommandError>
    do throws(CommandError) {
      value = .success(try await work())
    } catch {
      value = .failure(error)
    }
    result.withLock { $0 = value }
    ended.signal()
  }
  ended.wait()
  guard let result = result.withLock({ $0 }) else { preconditionFailure("the task ended without a result") }
  return try result.get()
}
