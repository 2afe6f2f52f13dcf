import ArgumentParser
import Glibc
import PabalCommand
import PabalCore
import PabalHTTP

/// `pabal serve`: hands over what is in the outbox, until it is stopped.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Hand over what is in the outbox and answer HTTP, until stopped.",
    discussion: """
      SIGTERM or Ctrl-C stops it once what is being handed over has ended; a second one stops it at once, and \
      what was under way is then looked at by the next `pabal serve`. Several may run on one store. The log goes \
      to standard error, a line each; with --json to standard output, a JSON object each.

      The HTTP service listens where serve.listen in config.json says, and /openapi.json describes it. An edit of \
      config.json is taken up by itself, anything else on SIGHUP.

      With --demo it has a page at / where an address can be proved, in Korean and English; with \
      the file transport it shows the mail. Whoever reaches the page can have codes sent, within the limits.

      Examples:
        pabal serve --config /etc/pabal/config.json
        pabal serve --demo
      """)

  @Option(help: ArgumentHelp("Use this transport instead of config.json's; repeatable.", valueName: "name"))
  var transport: [String] = []

  @Flag(help: "Serve a page to try it out, too: / of the HTTP service.")
  var demo = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    Terminal.printJSONAsLines()
    raiseDescriptorLimit()
    let log = ServeLog(asJSON: common.json)
    defer { log.finish() }
    let attempts = AttemptWaiters()
    let metrics = ServeMetrics()
    let runtime = try ServeRuntime(try CommandContext(common), transport, isDemo: demo, log) { event in
      metrics.handle(event)
      attempts.handle(event)
    }
    let dispatcher = runtime.dispatcher
    let http = runtime.httpService(attempts, metrics)
    let signals = StopSignals { isFirst in
      let mails = ("mails", "\(dispatcher.inFlightCount)")
      guard isFirst else {
        // Leases run out, and the next to serve goes on.
        log.write("broken off", mails)
        log.finish()
        _exit(ExitStatus.deferred.rawValue)
      }
      log.write("stopping", mails)
      Task {
        await http?.service.finish()
        await dispatcher.finish()
      }
    }
    defer { signals.cancel() }
    // A transport that hangs as it is closed must not be deaf to a second signal.
    defer { runtime.close() }
    let reload = ConfigurationReloader(runtime).run()
    defer { reload.cancel() }
    let cleanup = startVerificationCleanup(runtime.storage, log) { runtime.snapshot.context }
    defer { cleanup.cancel() }
    log.write("serving", ("route", runtime.snapshot.route.names.joined(separator: ",")))
    try blockingAwait { () throws(CommandError) in
      async let dispatching: Void = dispatcher.run()
      do throws(CommandError) {
        try await http?.run(log)
      } catch {
        await dispatcher.finish()
        await dispatching
        throw error
      }
      await dispatching
      // A request that was answered last may have sent a mail on its way after the dispatcher stopped.
      await dispatcher.drain()
    }
    log.write("stopped")
  }
}
