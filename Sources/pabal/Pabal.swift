import Glibc
import PabalCommand
import PabalCore

/// The small `pabal` program: runs `send` itself and leaves every other command to ``MainProgram``.
@main
enum PabalLauncher {
  static func main() throws {
    ProcessSetup.prepare()
    let status = try CommandRun.status {
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
}

/// `pabal-main`, the program with all commands and all libraries they need.
enum MainProgram {
  /// Replaces this process with `pabal-main`, with the same arguments; returns only if that fails.
  static func replaceProcess() -> CommandError {
    let paths = Installation.current?.mainProgramPaths ?? []
    for path in paths {
      execv(path, CommandLine.unsafeArgv)
      let reason = errno
      guard reason != ENOENT, reason != ENOTDIR else { continue }
      return CommandError(
        .configuration, "\(path) can't be run: \(String(cString: strerror(reason)))",
        remedy: "it has every command except send; reinstall pabal")
    }
    return CommandError(
      .configuration,
      "incomplete installation: pabal-main, which has every command except send, \(missingDescription(paths))",
      remedy: "put it next to pabal, or into libexec/pabal next to the directory of pabal")
  }

  private static func missingDescription(_ paths: [String]) -> String {
    paths.isEmpty ? "can't be found without /proc" : "is at neither \(paths.joined(separator: " nor "))"
  }
}
