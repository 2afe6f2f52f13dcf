// A route that changes while mail waits for it.
extension Dispatcher {
  /// Goes by other rules from now on, and by what the route has become: the next mail tries each transport that was
  /// left alone, since an edit may have mended what was wrong with it.
  ///
  /// Where there was such a transport, or the route `hasChanged`, mail that waits because of what a transport said is
  /// due at once.
  public func adopt(_ options: DispatcherOptions, routeHasChanged hasChanged: Bool = false) async {
    self.options = options
    let (now, names) = (dependencies.now(), Set(route().map(\.name)))
    await refreshStates()
    let isAnyClosed = names.contains { stateCache[$0].permission(at: now) != .open }
    if isAnyClosed {
      await updateStates { states in for name in names { states[name]?.endWait(at: now) } }
    }
    if hasChanged || isAnyClosed {
      currentRouteGeneration += 1
      expedited = expedited ?? 0
    }
    signalWork()
  }

  /// Makes due what waits because of what a transport said, where that is still to be done; says whether there may be
  /// more of it.
  func expediteRerouted() async -> Bool {
    guard let count = expedited else { return false }
    let routeGeneration = currentRouteGeneration
    do throws(StorageError) {
      let more = try await outbox.amend(
        .reroute(limit: Dispatcher.expediteBatchSize), now: dependencies.now())
      if more > 0 { mayHaveWork = true }
      guard more < Dispatcher.expediteBatchSize, routeGeneration == currentRouteGeneration else {
        expedited = count + more
        return true
      }
      expedited = nil
      if count + more > 0 { report(.expedited(count: count + more)) }
    } catch {
      report(.storage(error))
    }
    return false
  }

  // Few enough to keep nobody from the store for long.
  private static let expediteBatchSize = 2_000
}
