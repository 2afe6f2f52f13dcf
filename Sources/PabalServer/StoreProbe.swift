import PabalCore
import PabalStorage

/// Whether the store takes a start of a verification, found out at most once a second.
actor StoreProbe {
  private static let interval = Duration.seconds(1)
  /// The time after which a store that hasn't answered counts as locked.
  private static let timeout = Duration.seconds(2)

  private let storage: OpenStorage
  private var latest: (at: ContinuousClock.Instant, problem: StorageError?)?
  private var isRunning = false

  init(_ storage: OpenStorage) { self.storage = storage }

  /// Returns why a start can't be stored now; `nil` if it can.
  func problem() async -> StorageError? {
    let asked = ContinuousClock.now
    if let latest, asked - latest.at < StoreProbe.interval { return latest.problem }
    if !isRunning {
      isRunning = true
      Task { await run() }
    }
    var pause = Duration.milliseconds(1)
    while ContinuousClock.now - asked < StoreProbe.timeout {
      try? await Task.sleep(for: pause)
      if let latest, latest.at >= asked { return latest.problem }
      pause = min(pause * 2, .milliseconds(50))
    }
    return StorageError(.busy, place: storage.database.place)
  }

  private func run() async {
    let problem: StorageError?
    do throws(StorageError) {
      try await storage.database.probe(keys: storage.keys)
      problem = nil
    } catch {
      problem = error
    }
    latest = (.now, problem)
    isRunning = false
  }
}
