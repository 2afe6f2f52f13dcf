import ArgumentParser
import PabalCommand

/// The words that say which mail `send` makes.
struct SendContent: ParsableArguments {
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

  /// What they say.
  var content: MailContent {
    var content = MailContent()
    content.message = message
    content.language = language
    content.variables = variables
    content.from = from
    content.subject = subject
    content.text = text
    content.html = html
    content.eml = eml
    return content
  }
}
