import ArgumentParser
import PabalCommand
import PabalServer

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
    try runServer(try CommandContext(common), transports: transport, isDemo: demo, asJSON: common.json)
  }
}
