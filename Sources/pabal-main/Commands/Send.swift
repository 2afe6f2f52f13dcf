import ArgumentParser
import PabalCommand

/// `pabal send`: sends one mail immediately.
struct Send: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send", abstract: "Send one mail immediately and report the result.",
    discussion: """
      Sends a verification mail with a new code, without queueing or storing it, to test a transport. Several \
      addresses get one mail together.

      Examples:
        pabal send you@example.com
        pabal send you@example.com --language en --set service="My shop"
        pabal send you@example.com --subject 안녕 --text '반갑습니다.'
        pabal send --eml mail.eml
        pabal send test@localhost --count 10000 --parallel 8 --json
      """)

  @Argument(help: "The recipients.", completion: .default)
  var addresses: [String] = []

  @OptionGroup(title: "Content") var content: SendContent

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Use this transport instead of config.json's; several in order, separated by commas or repeated.",
      valueName: "name"))
  var transport: [String] = []

  @Flag(help: "Print the finished mail and send nothing.")
  var dryRun = false

  @Option(help: ArgumentHelp("Send n mails and print a summary.", valueName: "n"))
  var count: Int?

  @Option(help: ArgumentHelp("With --count: send p mails at the same time.", valueName: "p"))
  var parallel: Int = 1

  @Flag(help: "With --count: allow sending to other machines.")
  var yes = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let conflict = command.conflict { throw ValidationError(conflict) }
  }

  func run() throws {
    let status = try command.run()
    if status != .sent { throw status.exitCode }
  }

  private var command: SendCommand {
    var command = SendCommand()
    command.addresses = addresses
    command.content = content.content
    command.transports = transport
    command.dryRun = dryRun
    command.count = count
    command.parallel = parallel
    command.yes = yes
    command.options = common.options
    return command
  }
}

/// The options that describe the content of the mail.
struct SendContent: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The message: a folder in the messages directory (default: verification).", valueName: "name"))
  var message: String?

  @Option(
    help: ArgumentHelp(
      "Preferred languages, best first (RFC 4647), separated by commas or repeated.",
      valueName: "tag"))
  var language: [String] = []

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("The value of a variable of the message; repeatable.", valueName: "name=value"))
  var variables: [String] = []

  @Option(help: ArgumentHelp("The sender instead of config.json's.", valueName: "mailbox"))
  var from: String?

  @Option(help: "The subject of a mail without a message; requires --text, --html or both.")
  var subject: String?

  @Option(help: "The body as plain text.")
  var text: String?

  @Option(help: "The body as HTML.")
  var html: String?

  @Option(
    help: ArgumentHelp("Send a finished mail; - reads standard input.", valueName: "file"),
    completion: .file(extensions: ["eml"]))
  var eml: String?

  /// The options as a value.
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
