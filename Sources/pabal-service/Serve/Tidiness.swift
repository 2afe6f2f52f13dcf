import PabalCommand
import PabalCore

/// Ends and deletes verifications in their time, every minute, until the task is cancelled.
func keepTidy(
  _ storage: StoragePart, _ log: ServeLog, _ assembly: @escaping @Sendable () -> Assembly
) -> Task<Void, Never> {
  Task.detached {
    while !Task.isCancelled {
      // A previous key that was removed is not to seal or to count anything any more.
      storage.keys.reread()
      do throws(StorageProblem) {
        try await assembly().housekeeping(storage).sweep()
      } catch {
        if !Task.isCancelled { log.write("storage", ("problem", error.description)) }
      }
      try? await Task.sleep(for: .seconds(60))
    }
  }
}
