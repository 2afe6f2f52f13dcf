import ArgumentParser
import PabalCommand

/// The command as it is called: it sends mail itself and leaves everything else to ``Service``.
@main
enum Pabal {
  static func main() {
    Surroundings.putRight()
    Send.perform {
      try Surroundings.refuseBrokenArguments()
      let words = CommandLine.arguments.dropFirst()
      // Words that ask for help or are wrong are answered by who knows all the commands.
      guard words.first == Send.configuration.commandName,
        let send = try? Send.parse(Array(words.dropFirst()))
      else {
        throw Service.takeOver()
      }
      try send.run()
    }
  }
}
