import Dispatch
package import PabalCommand
import Synchronization

/// Runs `work` on Swift's own threads and blocks this one, which is none of them, until it has ended.
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
  guard let result = result.withLock({ $0 }) else { preconditionFailure("work that ended left nothing") }
  return try result.get()
}
