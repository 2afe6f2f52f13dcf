// A route that changes while mail waits for it.
extension Dispatcher {
  /// Goes by other rules from now on, and by what the route has become: the next mail tries each transport that was
  /// left alone, since an edit may have mended what was wrong with it.
  ///
  /// Where there was such a transport, or the route `hasChanged`, mail that waits because of what a transport said is
  /// due at once.
  public func adopt(_ rules: DispatcherRules, routeHasChanged hasChanged: Bool = false) async {
    self.rules = rules
    let (now, names) = (surroundings.now(), Set(route().map(\.name)))
    await refreshBoard()
    let isAnyClosed = names.contains { board[$0].permission(at: now) != .open }
    if isAnyClosed {
      await share { states in for name in names { states[name]?.endWait(at: now) } }
    }
    if hasChanged || isAnyClosed {
      routes += 1
      hastened = hastened ?? 0
    }
    expectMore()
  }

  /// Makes due what waits because of what a transport said, where that is still to be done; says whether there may be
  /// more of it.
  func hasten() async -> Bool {
    guard let count = hastened else { return false }
    let turn = routes
    do throws(StorageProblem) {
      let more = try await outbox.amend(
        .reroute(limit: Dispatcher.hastenedAtOnce), now: surroundings.now())
      if more > 0 { mayHaveMore = true }
      guard more < Dispatcher.hastenedAtOnce, turn == routes else {
        hastened = count + more
        return true
      }
      hastened = nil
      if count + more > 0 { report(.hastened(count: count + more)) }
    } catch {
      report(.storage(error))
    }
    return false
  }

  // Few enough to keep nobody from the store for long.
  private static let hastenedAtOnce = 2_000
}
