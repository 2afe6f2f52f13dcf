import Glibc
import PabalCommand

/// The command as it is called: it sends mail itself and leaves everything else to ``Service``.
@main
enum Pabal {
  static func main() throws {
    Surroundings.putRight()
    let status = try CommandRun.status {
      try Surroundings.refuseBrokenArguments()
      let words = CommandLine.arguments.dropFirst()
      // Words that ask for help or are wrong are answered by who knows all the commands.
      guard words.first == "send", let request = SendRequest(plainly: words.dropFirst()) else {
        throw Service.takeOver()
      }
      return try request.run()
    }
    // Every transport is closed. What libraries would still tidy up, table by table, the kernel does at once.
    fflush(nil)
    _exit(status.rawValue)
  }
}
