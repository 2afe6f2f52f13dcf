import ArgumentParser
import Glibc
import PabalCommand
import PabalCore
import PabalHTTP

/// `pabal serve`: hands over what is in the outbox, until it is stopped.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Hand over what is in the outbox, until stopped.",
    discussion: """
      SIGTERM or Ctrl-C stops it once what is being handed over has ended; a second one stops it at once, and \
      what was under way is then looked at by the next `pabal serve`. Several may run on one store. The log goes \
      to standard error, a line each; with --json to standard output, a JSON object each.

      With --demo the HTTP service has a page at / where an address can be proved, in Korean and English; with \
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
    if common.json { Terminal.keepOutputClean() }
    let assembly = try Assembly(common)
    let transports = try assembly.checked(try assembly.transports(transport))
    let route = assembly.route(transports)
    defer { route.close() }
    let storage = try assembly.storage()
    defer { storage.database.close() }
    let log = ServeLog(inJSON: common.json)
    let alarm = Alarm(assembly.configuration.serve.alert, log)
    let attempts = FirstAttempts()
    let dispatcher = assembly.dispatcher(storage, route) { event in
      log.write(event)
      alarm.heed(event)
      attempts.heed(event)
    }
    let http = try assembly.httpService(
      storage, dispatcher, attempts, log, demo: demo ? try assembly.demo(transports) : nil)
    let signals = StopSignals { isFirst in
      // Leases run out, and the next to serve goes on.
      guard isFirst else { _exit(ExitStatus.deferred.rawValue) }
      log.write("stopping")
      Task {
        await http?.service.finish()
        await dispatcher.finish()
      }
    }
    defer { signals.end() }
    let freshness = assembly.keepFresh(transports, log)
    defer { freshness.cancel() }
    let tidiness = assembly.keepTidy(storage, log)
    defer { tidiness.cancel() }
    log.write("serving", ("route", route.names.joined(separator: ",")))
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
    }
    log.write("stopped")
  }
}
