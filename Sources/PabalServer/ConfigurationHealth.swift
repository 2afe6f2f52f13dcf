import PabalCore
import Synchronization

/// Whether a running service uses the configuration as its file is now.
final class ConfigurationHealth: Sendable {
  private struct State {
    var loadedAt = Timestamp.now()
    var broken: (since: Timestamp, problems: [Diagnostic])?
    var restart: [String] = []
  }

  private let state = Mutex(State())

  /// The time at which the configuration in use was read.
  var loadedAt: Timestamp { state.withLock { $0.loadedAt } }
  /// Whether the configuration in use is that of the file as it is now.
  var isCurrent: Bool { state.withLock { $0.broken == nil } }

  /// Records that the file is in use; returns whether it was broken before. `restart` lists the keys whose new values need
  /// a restart; `nil` if the file hasn't been applied again.
  func markCurrent(restart: [String]?) -> Bool {
    state.withLock { state in
      defer { state.broken = nil }
      if let restart { (state.loadedAt, state.restart) = (Timestamp.now(), restart) }
      return state.broken != nil
    }
  }

  /// Records that the file can't be used; returns whether these problems are new.
  func report(_ problems: [Diagnostic]) -> Bool {
    state.withLock { state in
      guard state.broken?.problems != problems else { return false }
      state.broken = (state.broken?.since ?? Timestamp.now(), problems)
      return true
    }
  }

  /// One line for `/readyz`.
  var summary: String {
    let state = state.withLock { $0 }
    var summary = "in use since \(state.loadedAt.text)"
    if let (since, problems) = state.broken {
      summary = "broken since \(since.text): \(problems.first?.redacted ?? "")"
      if problems.count > 1 { summary += ", and \(problems.count - 1) more" }
    }
    if !state.restart.isEmpty { summary += "; needs a restart for \(state.restart.joined(separator: ", "))" }
    return summary
  }
}
