import Glibc
import PabalAccounts
package import PabalCommand
import PabalCore
import PabalHTTP

/// Runs `pabal serve`: delivers queued mail and serves the HTTP API until the process is stopped by a signal.
///
/// Blocks. `transports` replaces those of all routes unless it is empty; `isDemo` adds the demo page;
/// `asJSON` writes the log to standard output, one JSON object per line, instead of text to standard error.
package func runServer(
  _ context: CommandContext, transports: [String], isDemo: Bool, asJSON: Bool
) throws {
  raiseDescriptorLimit()
  let log = ServeLog(asJSON: asJSON)
  defer { log.finish() }
  AccountReports.redirect { event in
    if case .unstored(let account, let text) = event { log.writeAccount("account \(account): \(text)") }
  }
  let attempts = AttemptWaiters()
  let metrics = ServeMetrics()
  let runtime = try ServeRuntime(context, transports, isDemo: isDemo, log) { event in
    metrics.handle(event)
    attempts.handle(event)
  }
  let dispatcher = runtime.dispatcher
  let readiness = ServeReadiness(runtime)
  let submission = runtime.submissionServer(metrics)
  metrics.submissions.setServer(submission)
  let http = runtime.httpService(attempts, metrics, readiness)
  let signals = StopSignals { isFirst in
    let mails = ("mails", "\(dispatcher.inFlightCount)")
    guard isFirst else {
      // The mail in progress isn't lost: its leases expire, and the next process to serve sends it.
      log.write("broken off", mails)
      // A login would end if the answer to a renewal that was already sent were lost.
      TerminationDelay.finish()
      log.finish()
      _exit(ExitStatus.deferred.rawValue)
    }
    log.write("stopping", mails)
    Task {
      await http?.service.finish()
      await submission?.finish()
      await dispatcher.finish()
    }
  }
  defer { signals.cancel() }
  // Runs before `signals.cancel`, so that a second signal works even if a transport hangs while closing.
  defer { runtime.close() }
  let reload = ConfigurationReloader(runtime).run()
  defer { reload.cancel() }
  let cleanup = startVerificationCleanup(runtime.storage, log) { runtime.snapshot.context }
  defer { cleanup.cancel() }
  let intake = BounceIntake.start(runtime, metrics)
  defer { intake.cancel() }
  for warning in context.configuration.warnings { log.report("warning", warning) }
  let trimming = MemoryTrimmer.run()
  defer { trimming.cancel() }
  log.write("serving", runtime.snapshot.table)
  try blockingAwait { () throws(CommandError) in
    await runtime.applyOpening(isStart: true)
    // Logs what isn't as it should be.
    _ = await readiness.current()
    async let dispatching: Void = dispatcher.run()
    var drops: DropService?
    do throws(CommandError) {
      try await submission?.start(log)
      // A service that can't listen leaves the mail of the drop directory alone.
      drops = DropService(runtime, metrics)
      try await http?.run(log)
    } catch {
      await submission?.finish()
      await drops?.finish()
      await dispatcher.finish()
      await dispatching
      throw error
    }
    await dispatching
    await drops?.finish()
    // The last request may have dispatched a mail immediately, after the dispatcher had stopped.
    await dispatcher.drain()
  }
  log.write("stopped")
}
