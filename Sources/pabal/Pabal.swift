import ArgumentParser
import Glibc
import PabalCore

/// The command; what it is called with is read here, what it does stands in its subcommands.
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
    version: "0.1.0",
    subcommands: [
      Send.self, Verify.self, OutboxCommand.self, Serve.self, Transports.self, Messages.self, Account.self,
      Keys.self, Check.self,
    ])

  static func main() {
    // A reader that has gone away is an error of one write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    keepStandardDescriptors()
    // libcurl would write every session's TLS keys to the file this names.
    unsetenv("SSLKEYLOGFILE")
    refuseBrokenArguments()
    do {
      var command = try directly() ?? parseAsRoot()
      try command.run()
    } catch let failure as Failure {
      Terminal.tell(failure.diagnostics)
      // Whoever asked for JSON reads standard output, and should find the reason there.
      if CommandLine.arguments.contains("--json") {
        try? Terminal.answer(json: failure)
      }
      exit(withError: failure.status.code)
    } catch {
      exit(withError: error)
    }
    if let problem = Terminal.answerProblem {
      Terminal.tell("pabal: the answer could not be written: \(problem)")
      exit(withError: ExitStatus.unwritten.code)
    }
  }

  /// A standard descriptor that the caller closed would become a file's or a server's, and get what is said to a person.
  private static func keepStandardDescriptors() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // The wrong way round, so that reading or writing it is the error that it was.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// The command that the first word names, read without a look at all the others, which takes twice as long;
  /// `nil` where there is more to it: its words are wrong, ask for help, or name a command of its own.
  private static func directly() -> (any ParsableCommand)? {
    let words = CommandLine.arguments.dropFirst()
    let named = configuration.subcommands.first { $0.configuration.commandName == words.first }
    guard let named, named.configuration.subcommands.isEmpty else { return nil }
    return try? named.parseAsRoot(Array(words.dropFirst()))
  }

  /// Swift repairs what is not UTF-8, and a repaired address is another address.
  private static func refuseBrokenArguments() {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index], String(validatingCString: argument) == nil else {
        continue
      }
      Terminal.tell("pabal: error: argument \(index) is not UTF-8; set the terminal to UTF-8")
      exit(withError: ExitStatus.input.code)
    }
  }
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
}
