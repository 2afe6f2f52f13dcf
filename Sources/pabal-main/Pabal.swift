import ArgumentParser
import PabalCommand
import PabalCore

/// The `pabal` command with all subcommands; the small `pabal` program runs it for everything except `send` and `sendmail`.
@main
struct Pabal: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pabal",
    abstract: "Send mail through Gmail, SMTP or a plugin, with a durable outbox.",
    discussion: """
      Sends mail through the transport that config.json names: Gmail, SMTP, a file, the terminal, or your own plugin.

      Examples:
        pabal send you@example.com
        pabal send you@example.com --transport console --language en
        pabal check

      Exit status of send: 0 sent, 64 usage error, 65 invalid input or message, 69 rejected, 73 output not written, \
      74 unknown, 75 deferred, 77 held, 78 configuration error.
      """,
    version: pabalVersion,
    subcommands: [
      Send.self, Sendmail.self, Verify.self, OutboxCommand.self, Suppress.self, StorageCommand.self,
      Serve.self,
      Transports.self,
      Messages.self, Account.self,
      Keys.self, Check.self,
    ])

  static func main() {
    ProcessSetup.prepare()
    do {
      let status = try CommandRun.status {
        if let words = SendmailArguments.words(of: CommandLine.arguments) { return try Sendmail.run(words) }
        try ProcessSetup.rejectInvalidArguments()
        let misspelt = MisspeltCommand(CommandLine.arguments.dropFirst(), of: Pabal.self)
        var command = try parse(misspelt)
        do {
          try command.run()
        } catch let failure as CommandError {
          throw failure.adding(misspelt?.hint)
        }
        return .sent
      }
      exit(withError: status.exitCode)
    } catch {
      exit(withError: error)
    }
  }

  /// Parses the command line. Throws the error about a misspelt command, which says more than the parser's.
  private static func parse(_ misspelt: MisspeltCommand?) throws -> any ParsableCommand {
    if CommandLine.arguments.dropFirst().first == "help", let error = misspelt?.error { throw error }
    if let command = parseNamedSubcommand() { return command }
    do {
      return try parseAsRoot()
    } catch {
      // Help and the version are thrown as well; their exit status is 0.
      guard exitCode(for: error) != .success else { throw error }
      if let better = misspelt?.error ?? optionBeforeCommand() { throw better }
      throw error
    }
  }

  /// The error about an option that stands where the command belongs.
  private static func optionBeforeCommand() -> CommandError? {
    guard let option = CommandLine.arguments.dropFirst().first, option.hasPrefix("-") else { return nil }
    return CommandError(
      .usage, "“\(printable(option))” stands before the command",
      remedy: "write options after it, like `pabal check --json`; `pabal --help` lists the commands")
  }

  /// Parses the subcommand named by the first argument on its own, because parsing with all subcommands takes twice
  /// as long. Returns `nil` for mistakes, requests for help, and commands with subcommands.
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

extension CommandError {
  /// Returns the error with `hint` added to its remedy.
  fileprivate func adding(_ hint: String?) -> CommandError {
    guard let hint, let first = diagnostics.first else { return self }
    var diagnostic = first
    diagnostic.remedy = [first.remedy, hint].compactMap(\.self).joined(separator: ", ")
    return CommandError(status, [diagnostic] + diagnostics.dropFirst(), reachedLimit: reachedLimit)
  }
}

extension ExitStatus {
  /// The status as an `ArgumentParser.ExitCode`.
  var exitCode: ExitCode { ExitCode(rawValue) }
}

/// The options of every subcommand.
struct CommonOptions: ParsableArguments {
  @Option(
    name: .customLong("config"),
    help: ArgumentHelp(
      "The configuration file.",
      discussion:
        "Default: $PABAL_CONFIG, then config.json here or in a directory above, then /etc/pabal/config.json.",
      valueName: "file"),
    completion: .file(extensions: ["json"]))
  var file: String?

  @Flag(help: "Print the result as JSON.")
  var json = false

  @Flag(name: .shortAndLong, help: "Log everything that transports do to standard error.")
  var verbose = false

  /// The options as a value.
  var options: CommandOptions { CommandOptions(file: file, json: json, verbose: verbose) }
}

extension CommandContext {
  /// Reads the configuration. With `--json`, first reserves standard output for the result, because plugins may print
  /// while they are loaded.
  init(_ options: CommonOptions) throws(CommandError) {
    if options.json { Terminal.reserveStandardOutput() }
    try self.init(options.options)
  }
}
