import ArgumentParser
import PabalCommand
import PabalCore

/// A word of the command line that stands where a subcommand is expected, and is none.
struct MisspeltCommand {
  /// The word, as typed.
  let word: String
  /// The commands before it, such as `pabal outbox`.
  private let parents: [String]
  /// The subcommand that was most likely meant.
  private let meant: String?
  /// Whether the word could also be an argument of a default subcommand.
  let mayBeArgument: Bool

  /// Finds the word in `arguments`; `nil` if every command is known.
  init?(_ arguments: some Sequence<String>, of root: (some ParsableCommand).Type) {
    var command: any ParsableCommand.Type = root
    var parents = [root._commandName]
    for argument in arguments {
      guard !command.configuration.subcommands.isEmpty else { return nil }
      if parents.count == 1, argument == "help" { continue }
      if ["--json", "--verbose", "-v"].contains(argument) { continue }
      // What follows an option may be its value.
      guard !argument.hasPrefix("-") else { return nil }
      if let next = command.configuration.subcommands.first(where: { $0._commandName == argument }) {
        command = next
        parents.append(argument)
        continue
      }
      word = argument
      self.parents = parents
      let help = parents.count == 1 ? ["help"] : []
      meant = nearest(to: argument, among: command.configuration.subcommands.map { $0._commandName } + help)
      mayBeArgument = command.configuration.defaultSubcommand != nil
      return
    }
    return nil
  }

  /// The error, unless the word may be an argument and resembles no subcommand.
  var error: CommandError? {
    let parent = parents.joined(separator: " ")
    if let meant { return CommandError(.usage, message, remedy: "did you mean `\(parent) \(meant)`?") }
    return mayBeArgument
      ? nil : CommandError(.usage, message, remedy: "`\(parent) --help` lists the commands")
  }

  /// What to add to the error of a default subcommand that took the word for its argument.
  var hint: String? { meant.map { "or did you mean `\((parents + [$0]).joined(separator: " "))`?" } }

  private var message: String {
    let group = parents.count > 1 ? " of `\(parents.joined(separator: " "))`" : ""
    return "unknown command “\(printable(word))”\(group)"
  }
}
