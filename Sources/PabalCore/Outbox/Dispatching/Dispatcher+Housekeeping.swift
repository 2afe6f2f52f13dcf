extension Dispatcher {
  func runMaintenance(_ now: Timestamp) async {
    do throws(StorageError) {
      forecast = try await outbox.sweep(OutboxSweep(now: now, owner: owner, options: options))
    } catch {
      forecast.isUnfinished = false
      report(.storage(error))
    }
    await refreshStates()
    lastSweep = now
    let waits = forecast.oldestCode.map { now - $0 >= options.codeAlertDelay } ?? false
    if waits, !hasReportedCodeDelay, let since = forecast.oldestCode { report(.codesDelayed(since: since)) }
    hasReportedCodeDelay = waits
  }

  /// Takes over what all processes know of the transports, and mends times that a clock left too far ahead.
  func refreshStates() async {
    let (now, options) = (dependencies.now(), options)
    await updateStates { states in
      for name in states.keys { states[name]?.clampFutureTimes(to: now, by: options, pace: options.paces[name]) }
    }
  }
}
