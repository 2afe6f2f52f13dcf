extension Dispatcher {
  func keepHouse(_ now: Timestamp) async {
    do throws(StorageProblem) {
      forecast = try await outbox.sweep(OutboxSweep(now: now, owner: owner, rules: rules))
    } catch {
      forecast.isUnfinished = false
      report(.storage(error))
    }
    await refreshBoard()
    swept = now
    let waits = forecast.oldestCode.map { now - $0 >= rules.patience } ?? false
    if waits, !hasToldOfCodes, let since = forecast.oldestCode { report(.codesWait(since: since)) }
    hasToldOfCodes = waits
  }

  /// Takes over what all processes know of the transports, and mends times that a clock left too far ahead.
  func refreshBoard() async {
    let (now, rules) = (surroundings.now(), rules)
    await share { states in
      for name in states.keys { states[name]?.pullBack(to: now, by: rules, pace: rules.paces[name]) }
    }
  }
}
