import ArgumentParser
import PabalCommand

/// The command with all its subcommands, as `pabal` hands over to it what it doesn't do itself.
@main
struct Pabal: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pabal",
    abstract: "Mail that must arrive.",
    discussion: """
      Hands mail to the transport that config.json names: a file, the terminal, or a plugin of your own.

      Example:
        pabal send you@example.com
        pabal send you@example.com --transport console --language en
        pabal check

      Exit status of send: 0 sent, 64 wrong words, 65 wrong input or message, 69 rejected, 74 unknown, \
      75 deferred, 77 held, 78 wrong configuration.
      """,
    version: pabalVersion,
    subcommands: [
      Send.self, Verify.self, OutboxCommand.self, Serve.self, Transports.self, Messages.self, Account.self,
      Keys.self, Check.self,
    ])

  static func main() {
    ProcessSetup.prepare()
    do {
      let status = try CommandRun.status {
        try ProcessSetup.rejectInvalidArguments()
        var command = try parseNamedSubcommand() ?? parseAsRoot()
        try command.run()
        return .sent
      }
      exit(withError: status.exitCode)
    } catch {
      exit(withError: error)
    }
  }

  /// The command that the first word names, read without a look at all the others, which takes twice as long;
  /// `nil` where there is more to it: its words are wrong, ask for help, or name a command of its own.
  private static func parseNamedSubcommand() -> (any ParsableCommand)? {
    let arguments = CommandLine.arguments.dropFirst()
    let subcommand = configuration.subcommands.first { $0.configuration.commandName == arguments.first }
    guard let subcommand, subcommand.configuration.subcommands.isEmpty else { return nil }
    guard let command = try? subcommand.parseAsRoot(Array(arguments.dropFirst())),
      type(of: command) == subcommand
    else {
      return nil
    }
    return command
  }
}

extension ExitStatus {
  /// The same to ArgumentParser.
  var exitCode: ExitCode { ExitCode(rawValue) }
}

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
