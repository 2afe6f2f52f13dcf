import Glibc
import PabalCommand

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
