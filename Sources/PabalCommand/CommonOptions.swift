package import ArgumentParser

/// What every subcommand takes.
package struct CommonOptions: ParsableArguments {
  @Option(
    name: .customLong("config"),
    help: ArgumentHelp(
      "The configuration.",
      discussion: "Default: $PABAL_CONFIG, then ./config.json, then /etc/pabal/config.json.",
      valueName: "file"),
    completion: .file(extensions: ["json"]))
  package var file: String?

  @Flag(help: "Answer in JSON, for a program to read.")
  package var json = false

  @Flag(name: .shortAndLong, help: "Tell more of what the transports do, on standard error.")
  package var verbose = false

  package init() {}
}
