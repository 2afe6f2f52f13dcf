import PabalCommand
import PabalCore

/// When the transports of the route next take mail, as recorded in the storage.
struct RouteSchedule: Sendable {
  let now: Timestamp
  /// The transports of the route that are paused or held, and when they are tried again.
  private let waits: [(name: String, word: String, until: Timestamp)]
  /// Whether no transport of the route takes mail.
  let isBlocked: Bool

  init(route: [String], _ states: [String: TransportState], at now: Timestamp) {
    self.now = now
    waits = route.compactMap { name in
      guard let state = states[name], let until = state.pausedUntil else { return nil }
      return (name, state.heldSince == nil ? "paused" : "held", until)
    }
    isBlocked = !route.isEmpty && waits.count == route.count
  }

  /// The next attempt on a mail.
  struct NextTry {
    /// `nil` if it isn't known.
    let at: Timestamp?
    /// What it waits for.
    let reason: String

    /// When and why, for a list.
    func text(at now: Timestamp) -> String {
      guard let at else { return reason }
      return "next try \(at <= now ? "now" : "in \((at - now).short)") (\(reason))"
    }
  }

  /// Returns when the next attempt on a mail is expected; `nil` in a final state.
  func nextTry(of entry: OutboxEntry) -> NextTry? {
    guard entry.state == .waiting else {
      return entry.state == .sending ? NextTry(at: nil, reason: "being sent") : nil
    }
    if isBlocked, let first = waits.min(by: { $0.until < $1.until }) {
      let reason =
        waits.count == 1
        ? "transport \(first.name) is \(first.word)" : "every transport is paused or held"
      return NextTry(at: max(entry.due, first.until, now), reason: reason)
    }
    return NextTry(at: max(entry.due, now), reason: reason(entry))
  }

  private func reason(_ entry: OutboxEntry) -> String {
    if entry.hold == .mail { return "the account or the set-up refuses this mail" }
    guard entry.attempts > 0 else { return "first attempt" }
    switch entry.outcome {
    case "unknown": return "no reply decided attempt \(entry.attempts)"
    case let outcome?: return "attempt \(entry.attempts) was \(outcome)"
    case nil: return "attempt \(entry.attempts) didn't end"
    }
  }
}

extension CommandContext {
  /// Returns when the configured route takes mail.
  func routeSchedule(_ states: [String: TransportState]) -> RouteSchedule {
    RouteSchedule(route: ((try? transports([])) ?? []).map(\.name), states, at: .now())
  }
}

extension Duration {
  /// The duration in its largest unit, rounded down: `45s`, `3m`, `2h`, `5d`.
  var short: String {
    let seconds = components.seconds
    return switch seconds {
    case ..<60: "\(max(seconds, 0))s"
    case ..<3_600: "\(seconds / 60)m"
    case ..<86_400: "\(seconds / 3_600)h"
    default: "\(seconds / 86_400)d"
    }
  }
}
