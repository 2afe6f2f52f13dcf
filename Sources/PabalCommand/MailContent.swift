import ArgumentParser

/// Which mail `send` makes: a message, words from the command line, or a finished file.
struct MailContent: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The message, a folder below the messages directory (default: verification).", valueName: "name"))
  var message: String?

  @Option(
    help: ArgumentHelp(
      "The languages to look for, the best first (RFC 4647), by commas or by repeating it.",
      valueName: "tag"))
  var language: [String] = []

  @Option(name: .customLong("set"), help: ArgumentHelp("A variable of the message.", valueName: "name=value"))
  var variables: [String] = []

  @Option(help: ArgumentHelp("The sender, instead of config.json's.", valueName: "mailbox"))
  var from: String?

  @Option(help: "A subject of your own; goes with --text, --html or both.")
  var subject: String?

  @Option(help: "The words as plain text.")
  var text: String?

  @Option(help: "The words as HTML.")
  var html: String?

  @Option(
    help: ArgumentHelp("A finished mail; - reads standard input.", valueName: "file"),
    completion: .file(extensions: ["eml"]))
  var eml: String?

  /// Refuses what can't go together, before anything is read.
  func validate(addresses: [String]) throws {
    let own = subject != nil || text != nil || html != nil
    let named = message != nil || !variables.isEmpty
    if eml != nil, own || named || !language.isEmpty {
      throw ValidationError(
        "--eml is a finished mail; it goes with none of --message, --language, --set, --subject, --text, --html."
      )
    }
    if own, named {
      throw ValidationError("--subject, --text and --html go with neither --message nor --set.")
    }
    if own, text == nil, html == nil { throw ValidationError("--subject needs --text or --html.") }
    if own, subject == nil { throw ValidationError("--text and --html need --subject.") }
    if addresses.isEmpty, eml == nil {
      throw ValidationError("Say who is to get it: pabal send you@example.com")
    }
  }
}
