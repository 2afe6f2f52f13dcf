import ArgumentParser
import PabalCommand
import PabalServer

/// `pabal serve`: delivers queued mail and serves the HTTP API until it is stopped.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Deliver queued mail and serve the HTTP API until stopped.",
    discussion: """
      SIGTERM or Ctrl-C stops it when the mail being sent is finished; a second signal stops it immediately, and the next \
      `pabal serve` takes over the interrupted mail. Several instances can share one database. The log goes to \
      standard error, one line per event; with --json to standard output, one JSON object per event.

      The HTTP API listens on the address in serve.listen and is described by /openapi.json. A change of \
      config.json or of a message applies automatically, a changed secret on SIGHUP.

      --demo serves a page at / that verifies an address, in Korean and English; with the file transport it \
      also shows the mail. Anyone who can reach the page can have codes sent, within the limits.

      Examples:
        pabal serve --config /etc/pabal/config.json
        pabal serve --demo
      """)

  @Option(help: ArgumentHelp("Use this transport instead of config.json's; repeatable.", valueName: "name"))
  var transport: [String] = []

  @Flag(help: "Also serve a demo page at /.")
  var demo = false

  @OptionGroup var common: CommonOptions

  func run() throws {
    Terminal.printJSONAsLines()
    try runServer(try CommandContext(common), transports: transport, isDemo: demo, asJSON: common.json)
  }
}
