import PabalCore
import Synchronization

/// How the configuration of a running service is.
final class ConfigurationHealth: Sendable {
  private struct State {
    var loadedAt = Timestamp.now()
    var broken: (since: Timestamp, problems: [Diagnostic])?
    var restart: [String] = []
  }

  private let state = Mutex(State())

  /// When the configuration in use was read.
  var loadedAt: Timestamp { state.withLock { $0.loadedAt } }
  /// Whether the file as it is now is in use.
  var isCurrent: Bool { state.withLock { $0.broken == nil } }

  /// The file is in use; `restart` names the keys that hold as they were. Says whether it was broken before.
  func markCurrent(restart: [String]?) -> Bool {
    state.withLock { state in
      defer { state.broken = nil }
      if let restart { (state.loadedAt, state.restart) = (Timestamp.now(), restart) }
      return state.broken != nil
    }
  }

  /// The file can't be used; says whether that is news.
  func report(_ problems: [Diagnostic]) -> Bool {
    state.withLock { state in
      guard state.broken?.problems != problems else { return false }
      state.broken = (state.broken?.since ?? Timestamp.now(), problems)
      return true
    }
  }

  /// In words, for whoever sends traffic here.
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

extension Diagnostic {
  /// Where it is and what is wrong, without what the file says there, which may be a secret.
  var redacted: String {
    let place = position.map { "line \($0.line), column \($0.column), " } ?? ""
    return place + (path.map { "\($0): " } ?? "") + redacted(message)
  }

  /// What is wrong, without what the file says.
  var redactedMessage: String { redacted(message) }

  /// Leaves out what stands between quotes.
  private func redacted(_ text: String) -> String {
    var shown = ""
    var quote: Character?
    for character in printable(text) {
      if let open = quote {
        guard character == open else { continue }
        quote = nil
        shown.append("…")
      } else if character == "\"" || (character == "'" && !(shown.last?.isLetter ?? false)) {
        quote = character
      }
      shown.append(character)
    }
    return shown
  }
}
