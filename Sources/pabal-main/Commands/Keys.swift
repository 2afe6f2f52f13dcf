import ArgumentParser
import Glibc
import PabalCommand
import PabalCore
import PabalServer

/// `pabal keys`: the master key that what is stored is sealed with.
struct Keys: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "Change the key that what is stored is sealed with; make keys for callers.",
    discussion: """
      Examples:
        pabal keys rotate
        pabal keys client shop
      """,
    subcommands: [Rotate.self, Client.self])

  /// `pabal keys rotate`.
  struct Rotate: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a new key; what the one before sealed is still opened with it.",
      discussion: """
        A running `pabal serve` takes it up by itself. The file of the key before may be removed once nothing \
        that it sealed is kept any more: after a day, with the usual retention, and where mail waits longer, \
        once that is gone.
        """)

    @OptionGroup var common: CommonOptions

    func run() throws {
      let context = try CommandContext(common)
      guard let directory = context.configuration.keys.directory else {
        throw CommandError(
          .configuration, "the keys are given in \(context.configuration.file), so they are changed there",
          remedy: "move \"current\" to the front of \"previous\", and put a new one in its place")
      }
      // Opened with the old key first: it has to be the store's own.
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
        Terminal.printResult("A new key is in \(directory)/\(Keyring.fileName).")
      }
    }
  }

  /// `pabal keys client`.
  struct Client: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a key for somebody who calls the HTTP service.",
      discussion: """
        Prints the key, which is kept nowhere, and the line for "clients" under "serve" in config.json, which has \
        only its digest. A client may have several keys, in a list; one that is taken out is worth nothing from \
        then on, without a restart.

        Example:
          pabal keys client shop
        """)

    @Argument(help: "The caller's name, for config.json and the log.")
    var name: String

    @Flag(help: "Answer in JSON, for a program to read.")
    var json = false

    func run() throws {
      let (key, configured) = APIClients.newKey()
      guard !json else {
        return try Terminal.printResult(json: ["name": name, "key": key, "configured": configured])
      }
      Terminal.printResult(key)
      Terminal.printError(
        "The key is shown this once. In config.json: \"clients\": { \"\(name)\": \"\(configured)\" }")
    }
  }
}
