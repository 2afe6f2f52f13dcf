import Glibc
import PabalCommand
import PabalCore

/// The command as it is called: it sends mail itself and leaves everything else to ``MainProgram``.
@main
enum Pabal {
  static func main() throws {
    ProcessSetup.prepare()
    let status = try CommandRun.status {
      try ProcessSetup.rejectInvalidArguments()
      let arguments = CommandLine.arguments.dropFirst()
      // Words that ask for help or are wrong are answered by who knows all the commands.
      guard arguments.first == "send", let command = SendCommand(parsing: arguments.dropFirst()) else {
        throw MainProgram.replaceProcess()
      }
      return try command.run()
    }
    // Every transport is closed. What libraries would still tidy up, table by table, the kernel does at once.
    fflush(nil)
    _exit(status.rawValue)
  }
}

/// `pabal-main`, the program with all the commands, and with all that they need loaded.
enum MainProgram {
  /// Goes on as that program, with the same words and all that this process has; returns only why it could not.
  static func replaceProcess() -> CommandError {
    let paths = Installation.current?.mainProgramPaths ?? []
    for path in paths {
      execv(path, CommandLine.unsafeArgv)
      let reason = errno
      guard reason != ENOENT, reason != ENOTDIR else { continue }
      return CommandError(
        .configuration, "\(path) can't be run: \(String(cString: strerror(reason)))",
        remedy: "it has every command but send; install it anew")
    }
    return CommandError(
      .configuration,
      "pabal is not whole: pabal-main, which has every command but send, \(missingDescription(paths))",
      remedy: "put it beside pabal, or into libexec/pabal beside the folder that pabal is in")
  }

  private static func missingDescription(_ paths: [String]) -> String {
    paths.isEmpty ? "can't be found without /proc" : "is at neither \(paths.joined(separator: " nor "))"
  }
}
