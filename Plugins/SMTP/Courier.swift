internal import Synchronization

/// Carries mails to one server: finds a connection, logs in, and tries again where nothing was taken.
final class Courier: Sendable {
  /// Where access tokens come from, for one attempt: `nil` when there is none to be had.
  typealias Tokens = (_ rejected: String?) -> Grant?

  /// How an attempt ended.
  enum Ending {
    /// One fate for each recipient, in the mail's order.
    case fates([Fate])
    /// No token was to be had, and whoever was asked has said why.
    case noToken
  }

  let server: Server
  private let pool = Pool()
  private let habits = Atomic<UInt8>(0)
  private let now: @Sendable () -> Int
  private let note: @Sendable (String) -> Void

  /// `now` in milliseconds, from any beginning; `note` tells the operator.
  init(
    _ server: Server, now: @escaping @Sendable () -> Int = milliseconds,
    note: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.server = server
    self.now = now
    self.note = note
  }

  /// Makes one attempt; blocks until it has ended.
  func send(_ delivery: Delivery, tokens: Tokens) -> Ending {
    if let fate = Self.refusal(delivery) {
      return .fates(delivery.recipients.map { _ in fate })
    }
    var fates = [Fate](
      repeating: Fate(.deferred, "not tried"), count: delivery.recipients.count)
    var remaining = Array(delivery.recipients.indices)
    var held: Connection?
    defer { held.map(pool.give) }
    // A retry needs a connection that had died, or a habit that wasn't known yet: there are three.
    var retries = 4
    var wantsFresh = false
    var wasDisturbed = false
    while true {
      let connection: Connection
      if let kept = held ?? (wantsFresh ? nil : pool.take(now: now())) {
        connection = kept
        held = nil
      } else {
        do throws(ConnectFailure) {
          guard let fresh = try connect(tokens) else { return .noToken }
          connection = fresh
        } catch {
          for index in remaining { fates[index] = Fate(error.outcome, error.words) }
          return .fates(fates)
        }
      }
      if let obstacle = delivery.obstacle(connection.capabilities) {
        held = connection
        for index in remaining { fates[index] = Fate(.unsuited, obstacle) }
        return .fates(fates)
      }
      let isKept = connection.isKept
      let moment = now()
      guard connection.isQuiet() else {
        // One from the pool may have ended meanwhile; of new ones only the first is excused.
        if isKept { continue }
        guard !wasDisturbed else {
          for index in remaining {
            fates[index] = Fate(.deferred, "the server speaks, or parts, before it is asked")
          }
          return .fates(fates)
        }
        wasDisturbed = true
        wantsFresh = true
        continue
      }
      let (conclusion, manner) = connection.carry(
        delivery, to: remaining, Habits(rawValue: habits.load(ordering: .relaxed)), now: moment)
      for (index, fate) in conclusion.fates {
        fates[index] = Fate(fate.outcome, connection.redaction.hide(fate.words))
      }
      if conclusion.isSound { held = connection }
      switch conclusion.next {
      case .done: return .fates(fates)
      case .remaining(let indices):
        guard indices.count < remaining.count, conclusion.isSound else { return .fates(fates) }
        remaining = indices
        continue
      case .nothingTaken, .goodbye:
        // A kept connection may have ended between two mails; a fresh one has no such excuse.
        guard isKept else { return .fates(fates) }
        wantsFresh = true
      case .slower:
        learn(manner.grouping == .oneFlight ? .outOfSequence : .outOfStep)
      case .withoutBDAT:
        learn(.withoutBDAT)
      }
      retries -= 1
      if retries == 0 { return .fates(fates) }
    }
  }

  /// Reaches the server and logs in; the connection is kept.
  func check(tokens: Tokens) throws(ConnectFailure) -> Capabilities? {
    guard let connection = try connect(tokens) else { return nil }
    pool.give(connection)
    return connection.capabilities
  }

  /// Parts from the server.
  func close() { pool.close() }

  private func connect(_ tokens: Tokens) throws(ConnectFailure) -> Connection? {
    guard case .account = server.login else { return try Connection(server, nil, now: now()) }
    guard let grant = tokens(nil) else { return nil }
    do throws(ConnectFailure) {
      return try connect(with: grant)
    } catch {
      guard error.isTokenRefused else { throw error }
      guard let renewed = tokens(grant.token) else { return nil }
      // The same token again would be refused again.
      if renewed == grant || renewed.token == grant.token { throw error }
      return try connect(with: renewed)
    }
  }

  private func connect(with grant: Grant) throws(ConnectFailure) -> Connection {
    guard WireText.isPrintable(grant.token) else {
      throw ConnectFailure(
        .held(.transport), "the account gave a token with characters no token has; log it in again")
    }
    return try Connection(server, grant, now: now())
  }

  private func learn(_ habit: Habit) {
    let known = habits.bitwiseOr(Habits(habit).rawValue, ordering: .relaxed).oldValue
    if !Habits(rawValue: known).contains(habit) { note("\(server.name) \(habit.rawValue)") }
  }

  /// Why an envelope never reaches the wire, whatever the host has checked.
  private static func refusal(_ delivery: Delivery) -> Fate? {
    if !delivery.sender.isEmpty, !WireText.isAddress(delivery.sender) {
      return Fate(.rejected, "the sender's address can't be sent: it holds a control, a blank or a bracket")
    }
    if !delivery.recipients.allSatisfy(WireText.isAddress) {
      return Fate(.rejected, "a recipient's address can't be sent: it holds a control, a blank or a bracket")
    }
    return nil
  }
}
