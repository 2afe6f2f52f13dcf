import ArgumentParser
import PabalCommand

/// What every subcommand takes.
struct CommonOptions: ParsableArguments {
  @Option(
    name: .customLong("config"),
    help: ArgumentHelp(
      "The configuration.",
      discussion: "Default: $PABAL_CONFIG, then ./config.json, then /etc/pabal/config.json.",
      valueName: "file"),
    completion: .file(extensions: ["json"]))
  var file: String?

  @Flag(help: "Answer in JSON, for a program to read.")
  var json = false

  @Flag(name: .shortAndLong, help: "Tell more of what the transports do, on standard error.")
  var verbose = false

  /// What they say.
  var options: CommandOptions { CommandOptions(file: file, json: json, verbose: verbose) }
}

extension CommandContext {
  /// Reads the configuration; from here on nothing but an answer in JSON reaches standard output, where one is wanted,
  /// whatever the plugins print that are loaded.
  init(_ options: CommonOptions) throws(CommandError) {
    if options.json { Terminal.reserveStandardOutput() }
    try self.init(options.options)
  }
}
