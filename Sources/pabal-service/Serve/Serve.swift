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
    Terminal.answerInLines()
    raiseDescriptorLimit()
    let log = ServeLog(inJSON: common.json)
    defer { log.finish() }
    let attempts = FirstAttempts()
    let metrics = ServeMetrics()
    let served = try Served(try Assembly(common), transport, isDemo: demo, log) { event in
      metrics.heed(event)
      attempts.heed(event)
    }
    let dispatcher = served.dispatcher
    let http = served.httpService(attempts, metrics)
    let signals = StopSignals { isFirst in
      let mails = ("mails", "\(dispatcher.underWay)")
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
    defer { signals.end() }
    // A transport that hangs as it is closed must not be deaf to a second signal.
    defer { served.close() }
    let reload = Reload(served).run()
    defer { reload.cancel() }
    let tidiness = keepTidy(served.storage, log) { served.parts.assembly }
    defer { tidiness.cancel() }
    log.write("serving", ("route", served.parts.route.names.joined(separator: ",")))
    try waitFor { () throws(Failure) in
      async let dispatching: Void = dispatcher.run()
      do throws(Failure) {
        try await http?.run(log)
      } catch {
        await dispatcher.finish()
        await dispatching
        throw error
      }
      await dispatching
      // A request that was answered last may have sent a mail on its way after the dispatcher stopped.
      await dispatcher.landed()
    }
    log.write("stopped")
  }
}
