import Glibc
import PabalCommand
import PabalCore

/// The small `pabal` program: runs `send` and `sendmail` itself and leaves every other command to ``MainProgram``.
@main
enum PabalLauncher {
  static func main() throws {
    ProcessSetup.prepare()
    let status = try CommandRun.status {
      if let words = SendmailArguments.words(of: CommandLine.arguments) { return try sendmail(words) }
      try ProcessSetup.rejectInvalidArguments()
      let arguments = CommandLine.arguments.dropFirst()
      // Help and mistakes are left to the program that knows every command.
      guard arguments.first == "send", let command = SendCommand(parsing: arguments.dropFirst()) else {
        throw MainProgram.replaceProcess()
      }
      return try command.run()
    }
    // Every transport is closed; skip the exit handlers of libraries, because the kernel frees their memory faster.
    fflush(nil)
    _exit(status.rawValue)
  }

  /// Runs `pabal sendmail`, also by the names `sendmail`, `mailq` and `newaliases`. Reads no configuration.
  private static func sendmail(_ words: [String]) throws(CommandError) -> ExitStatus {
    let command = try SendmailCommand(words)
    guard command.isSmall else { throw MainProgram.replaceProcess() }
    guard command.arguments.mode == .send else { return .sent }
    return try command.submit { mail, failures throws(CommandError) in
      // The owner of the database may use the outbox directly, which takes the main program.
      let file = command.arguments.configuration
      guard access(file, R_OK) == 0 else {
        throw QueueEntrances.notQueued(
          "\(failures); the configuration \(printable(file)): \(String(cString: strerror(errno)))")
      }
      let problem = AnonymousFile.replaceStandardInput(with: mail.batch)
      guard problem == 0 else {
        throw QueueEntrances.notQueued("\(failures); memory: \(String(cString: strerror(problem)))")
      }
      let arguments = ["pabal", "sendmail", "--batch", mail.id, "--config", file, "--failures", failures]
      throw MainProgram.replaceProcess(arguments: arguments + (command.arguments.isVerbose ? ["-v"] : []))
    }
  }
}

/// `pabal-main`, the program with all commands and all libraries they need.
enum MainProgram {
  /// Replaces this process with `pabal-main`, with the same arguments unless others are given; returns only if that
  /// fails.
  static func replaceProcess(arguments: [String]? = nil) -> CommandError {
    let paths = Installation.current?.mainProgramPaths ?? []
    let words = arguments.map { $0.map { strdup($0) } + [nil] }
    defer { for word in words ?? [] { free(word) } }
    for path in paths {
      if let words { execv(path, words) } else { execv(path, CommandLine.unsafeArgv) }
      let reason = errno
      guard reason != ENOENT, reason != ENOTDIR else { continue }
      return CommandError(
        .configuration, "\(path) can't be run: \(String(cString: strerror(reason)))",
        remedy: "it has every command except send and sendmail; reinstall pabal")
    }
    return CommandError(
      .configuration,
      "incomplete installation: pabal-main, which has every command except send and sendmail, \(missingDescription(paths))",
      remedy: "put it next to pabal, or into libexec/pabal next to the directory of pabal")
  }

  private static func missingDescription(_ paths: [String]) -> String {
    paths.isEmpty ? "can't be found without /proc" : "is at neither \(paths.joined(separator: " nor "))"
  }
}
