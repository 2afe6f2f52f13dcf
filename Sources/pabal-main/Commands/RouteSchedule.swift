import PabalCommand
import PabalCore

/// When the transports of the routes next take mail, as recorded in the storage.
struct RouteSchedule: Sendable {
  let now: Timestamp
  private let table: RouteTable
  private let states: [String: TransportState]

  /// A transport that is paused or held, and when it is tried again.
  private typealias Wait = (name: String, word: String, until: Timestamp)

  init(_ table: RouteTable, _ states: [String: TransportState], at now: Timestamp) {
    self.table = table
    self.states = states
    self.now = now
  }

  /// Returns the waits of the transports with this route if none of them takes mail; otherwise `nil`.
  private func block(of key: String) -> [Wait]? {
    let transports = table.transports(of: key)
    let waits = transports.compactMap { name -> Wait? in
      guard let state = states[name], let until = state.pausedUntil else { return nil }
      return (name, state.heldSince == nil ? "paused" : "held", until)
    }
    return !transports.isEmpty && waits.count == transports.count ? waits : nil
  }

  /// Whether no transport of a mail's route takes mail.
  func isBlocked(_ entry: OutboxEntry) -> Bool { block(of: entry.route) != nil }

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
    if let waits = block(of: entry.route), let first = waits.min(by: { $0.until < $1.until }) {
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
  /// Returns when the configured routes take mail.
  func routeSchedule(_ states: [String: TransportState]) -> RouteSchedule {
    RouteSchedule(routeTable, states, at: .now())
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
