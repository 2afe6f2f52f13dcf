/// What this process knows of the transports' states, and which of them it has reported as held or paused.
struct TransportHealth {
  /// A change of the states.
  typealias Change = TransportStateCache.Change

  private var cache = TransportStateCache()
  private let changeSequence = ChangeSequence()
  private var reported: [String: TransportCondition.Availability] = [:]
  private let sealing: any ContentSealing

  /// No transport is known yet; `sealing` protects the causes of failures.
  init(_ sealing: any ContentSealing) { self.sealing = sealing }

  /// The state of the transport `name`.
  subscript(name: String) -> TransportState { cache[name] }

  // MARK: Changes

  /// Prepares a change for the outbox.
  func sequenced<Value: Sendable>(
    _ change: @escaping @Sendable (inout [String: TransportState]) -> Value
  ) -> SequencedChange<Value> {
    SequencedChange(changeSequence, change)
  }

  /// Applies a change here before the outbox has it, and returns its number for `end`.
  mutating func begin(_ change: @escaping Change) -> Int { cache.begin(change) }

  /// Ends change `number` with the outbox's answer, or reverts it for `nil`.
  mutating func end(_ number: Int, _ answer: TransportStateCache.Snapshot?) {
    cache.end(number, answer)
    guard answer == nil else { return }
    // A hold or pause that is reverted ends without a success, so its end isn't reported.
    reported = reported.filter { cache[$0.key].pausedUntil != nil }
  }

  /// Adopts the outbox's answer to a change that was not applied here before.
  mutating func adopt(_ answer: TransportStateCache.Snapshot) { cache.adopt(answer) }

  /// Returns the change that records how an attempt through the transport `name` ended, or `nil` if its state
  /// stays as it is.
  ///
  /// `isReport`: the mail was a delivery report. What a server answers to it may be about the null sender, so it never
  /// keeps the transport from other mail.
  func change(
    recording receipt: Receipt, isReport: Bool = false, cause: String?, through name: String,
    at now: Timestamp, _ options: DispatcherOptions
  ) -> Change? {
    let outcome = receipt.outcome
    if isReport, case .held(.transport, _) = outcome { return nil }
    let isAboutRecipients = receipt.isAboutRecipients || isReport && receipt.isAnswered
    let cause = cause.map { sealing.seal(Array($0.utf8), id: TransportState.sealID(name)) }
    var after = self[name]
    after.record(outcome, isAboutRecipients: isAboutRecipients, at: now, by: options, cause: cause)
    guard after != self[name] else { return nil }
    return { [cause] states in
      states[name, default: TransportState()].record(
        outcome, isAboutRecipients: isAboutRecipients, at: now, by: options, cause: cause)
    }
  }

  // MARK: Events

  /// Returns why the last attempt through the transport `name` failed, or `nil` if that is unknown or it works.
  func cause(of name: String) -> String? {
    cache[name].cause.flatMap { try? sealing.open($0, id: TransportState.sealID(name)) }
      .map { printable(String(decoding: $0, as: UTF8.self)) }
  }

  /// Returns the events for the transports that have become held or paused, or work again, since the last call,
  /// whichever process caused it.
  mutating func events(for names: [String]) -> [DispatcherEvent] {
    names.compactMap { name in
      let state = cache[name]
      guard let until = state.pausedUntil else {
        return reported.removeValue(forKey: name) == nil ? nil : .restored(transport: name)
      }
      let availability: TransportCondition.Availability = state.heldSince == nil ? .paused : .held
      guard reported.updateValue(availability, forKey: name) != availability else { return nil }
      return availability == .held
        ? .held(transport: name, cause: cause(of: name))
        : .paused(transport: name, until: until, cause: cause(of: name))
    }
  }
}

extension TransportState {
  /// The id under which the cause of failures of the transport `name` is sealed.
  package static func sealID(_ name: String) -> String { "transport \(name)" }
}

extension Receipt {
  /// Whether a server replied, and didn't end the session by 421.
  fileprivate var isAnswered: Bool {
    recipients.contains { recipient in
      replyStatus(recipient.reply ?? reply).map { !$0.hasPrefix("421") } ?? false
    }
  }

  /// Whether a deferral is about recipients, so that the transport itself works: another recipient got a final
  /// outcome, or a reply says so.
  ///
  /// By RFC 3463 the subjects 1 and 2 (address, mailbox), 7 (policy, such as greylisting) except with 421, which
  /// ends the session, and 5.3 (too many recipients); without an enhanced status, 450 (mailbox unavailable,
  /// RFC 5321, 4.2.3).
  var isAboutRecipients: Bool {
    if recipients.contains(where: { $0.outcome == .sent || $0.outcome == .rejected }) { return true }
    return recipients.contains { recipient in
      guard let status = replyStatus(recipient.reply ?? reply) else { return false }
      let fields = status.split(separator: " ")
      guard fields.count == 2 else { return status == "450" }
      let parts = fields[1].split(separator: ".")
      switch parts[1] {
      case "1", "2": return true
      case "7": return fields[0] != "421"
      case "5": return parts[2] == "3"
      default: return false
      }
    }
  }
}

/// Whether a transport receives mail, and why not.
public struct TransportCondition: Sendable, Hashable {
  /// Whether a transport receives mail.
  public enum Availability: String, Sendable, Hashable, CaseIterable {
    /// It receives mail.
    case ready = "ready"
    /// It receives none for a while, because attempts failed or the server asked for a delay.
    case paused = "paused"
    /// It receives none until its account or configuration is corrected.
    case held = "held"
  }

  /// The transport's name in `config.json`.
  public let name: String
  /// Whether it receives mail.
  public let availability: Availability
  /// When a transport that isn't ready is tried again; `nil`: by the next mail.
  public let until: Timestamp?
  /// Since when it has been held because of its account or configuration.
  public let heldSince: Timestamp?
  /// How many attempts in a row failed because of the transport.
  public let failures: Int
  /// Why the last attempt failed (`FailureCause`); `nil` if it is ready, or if the cause is unknown.
  public let cause: String?

  init(_ name: String, _ state: TransportState, cause: String?, at now: Timestamp) {
    self.name = name
    heldSince = state.heldSince
    failures = state.failures
    let permission = state.permission(at: now)
    availability = permission == .ready ? .ready : state.heldSince == nil ? .paused : .held
    self.cause = permission == .ready ? nil : cause
    if case .paused(let moment) = permission { until = moment } else { until = nil }
  }
}

extension Dispatcher {
  /// The condition of the transports of all routes, those of the standard route first, as far as this process knows.
  /// Before the first round it asks the outbox what other processes know.
  public func conditions() async -> [TransportCondition] {
    if !schedule.hasRunMaintenance { await refreshStates() }
    let now = dependencies.now()
    return routes().transports.map {
      TransportCondition($0.name, health[$0.name], cause: health.cause(of: $0.name), at: now)
    }
  }
}
