import ArgumentParser
import Glibc
import PabalCommand
import PabalCore
import PabalServer

/// `pabal keys`: the master key that seals stored data, API keys for clients, and passwords for users.
struct Keys: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract:
      "Rotate the master key that seals stored data; create API keys for clients and passwords for users.",
    discussion: """
      Examples:
        pabal keys rotate
        pabal keys client shop
        pabal keys user printer
      """,
    subcommands: [Rotate.self, Client.self, User.self])

  /// `pabal keys rotate`.
  struct Rotate: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create a new master key; data sealed with the previous one stays readable.",
      discussion: """
        A running `pabal serve` uses the new key without a restart. The file of the previous key can be removed \
        once no stored data is sealed with it: with the default retention after a day, or later if mail that \
        was waiting then is still not final.
        """)

    @OptionGroup var common: CommonOptions

    func run() throws {
      let context = try CommandContext(common)
      guard let directory = context.configuration.keys.directory else {
        throw CommandError(
          .configuration, "the keys are set in \(context.configuration.file) and have to be changed there",
          remedy: "move \"current\" to the front of \"previous\" and set \"current\" to a new key")
      }
      // Opened with the old key first, to make sure that it is the key of this storage.
      try context.storage().database.close()
      do throws(Diagnostic) {
        _ = try Keyring.rotate(directory: directory)
      } catch {
        throw CommandError(.configuration, [error])
      }
      try context.storage().database.close()
      if common.json {
        try Terminal.printResult(json: ["directory": directory])
      } else {
        Terminal.printResult("New key stored in \(directory)/\(Keyring.fileName).")
        Terminal.printError(
          "Back up \(directory) now: what is stored from now on can't be read without this key.")
      }
    }
  }

  /// `pabal keys client`.
  struct Client: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create an API key for a client of the HTTP service.",
      discussion: """
        Prints the key, which isn't stored, and the line for "clients" under "serve" in config.json, which holds \
        only its digest. A client may have several keys, in a list; removing one makes it invalid without a \
        restart.

        Example:
          pabal keys client shop
        """)

    @Argument(help: "The client's name, for config.json and the log.")
    var name: String

    @Flag(help: "Print the result as JSON.")
    var json = false

    func run() throws {
      if let reason = invalidNameReason(name) {
        throw CommandError(
          .usage, "“\(printable(name))”: \(reason)",
          remedy: "use letters, digits, - and _, like `pabal keys client shop`")
      }
      let (key, configured) = APIClients.newKey()
      guard !json else {
        return try Terminal.printResult(json: ["name": name, "key": key, "configured": configured])
      }
      Terminal.printResult(key)
      Terminal.printError(
        "The key isn't shown again. In config.json, under \"serve\": \"clients\": { \"\(name)\": \"\(configured)\" }"
      )
    }
  }
}
