import ArgumentParser
import PabalCommand

/// `pabal send`: one mail, at once.
struct Send: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send", abstract: "Send one mail now, and say what became of it.",
    discussion: """
      Sends a verification mail with a fresh code, which is stored nowhere, to try a transport out. Several \
      addresses are one mail to all of them.

      Examples:
        pabal send you@example.com
        pabal send you@example.com --language en --set service="My shop"
        pabal send you@example.com --subject 안녕 --text '반갑습니다.'
        pabal send --eml mail.eml
        pabal send test@localhost --count 10000 --parallel 8 --json
      """)

  @Argument(help: "Who is to get it.", completion: .default)
  var addresses: [String] = []

  @OptionGroup(title: "What is sent") var content: SendContent

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Use this transport instead of config.json's; several in order, by commas or by repeating it.",
      valueName: "name"))
  var transport: [String] = []

  @Flag(help: "Print the finished mail and send nothing.")
  var dryRun = false

  @Option(help: ArgumentHelp("Send it so many times.", valueName: "n"))
  var count: Int?

  @Option(help: ArgumentHelp("With --count: so many at once.", valueName: "p"))
  var parallel: Int = 1

  @Flag(help: "With --count: also towards other machines than this one.")
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
