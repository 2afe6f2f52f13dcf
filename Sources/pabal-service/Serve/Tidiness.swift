import PabalCommand
import PabalCore

/// Ends and deletes verifications in their time, every minute, until the task is cancelled.
func startVerificationCleanup(
  _ storage: OpenStorage, _ log: ServeLog, _ context: @escaping @Sendable () -> CommandContext
) -> Task<Void, Never> {
  Task.detached {
    while !Task.isCancelled {
      // A previous key that was removed is not to seal or to count anything any more.
      storage.keys.reload()
      do throws(StorageError) {
        try await context().verificationCleanup(storage).sweep()
      } catch {
        if !Task.isCancelled { log.write("storage", ("problem", error.description)) }
      }
      try? await Task.sleep(for: .seconds(60))
    }
  }
}
