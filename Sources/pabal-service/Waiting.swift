import Dispatch
import PabalCommand
import Synchronization

/// Runs `work` on Swift's own threads and blocks this one, which is none of them, until it has ended.
func waitFor<Value: Sendable>(
  _ work: @escaping @Sendable () async throws(Failure) -> Value
) throws(Failure) -> Value {
  let ended = DispatchSemaphore(value: 0)
  let result = Mutex<Result<Value, Failure>?>(nil)
  Task.detached {
    let value: Result<Value, Failure>
    do throws(Failure) {
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
