import ArgumentParser
import PabalCommand
import PabalCore

/// `pabal sendmail`: queues a mail from standard input, as other mailers' `sendmail` does.
///
/// The properties only describe the flags, for the help and the completions; ``SendmailArguments`` parses them, because
/// their forms, such as `-fsender` and `-oem`, aren't those of other commands.
struct Sendmail: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sendmail",
    abstract: "Queue a mail from standard input, for programs that call sendmail.",
    discussion: """
      Programs find it as /usr/sbin/sendmail if that is a symbolic link to pabal; it also answers to the names mailq and \
      newaliases. It reads no configuration of the user and runs nothing: it hands the mail to the socket of \
      `pabal serve`, or leaves it in the drop directory while `pabal serve` is down. Flags of other mailers that have \
      no meaning here are accepted.

      Exit status: 0 queued, 64 usage error, 65 invalid address or mail, 66 unreadable input, 67 unknown recipient, \
      69 refused or unavailable, 75 not queued, try later, 77 not permitted, 78 configuration not accepted.

      Examples:
        pabal sendmail -t -i < mail.eml
        pabal sendmail -f app@example.com you@example.com < mail.eml
        pabal sendmail -bp
      """,
    // `-h` has had another meaning for sendmail, with a value.
    helpNames: .long)

  @Flag(name: .customShort("t"), help: "Add the recipients in To, Cc and Bcc of the mail.")
  var readsRecipients = false

  @Flag(
    name: [.customShort("i"), .customLong("oi", withSingleDash: true)],
    help: "Read to the end of the input, not to a line with only a dot.")
  var ignoresDots = false

  @Option(
    name: [.customShort("f"), .customShort("r")],
    help: ArgumentHelp(
      "The sender of the envelope; <> for none. Default: the user at this host.", valueName: "address"))
  var sender: String?

  @Option(
    name: .customShort("F"),
    help: ArgumentHelp("The sender's name, for a From field that is missing.", valueName: "name"))
  var fullName: String?

  @Option(
    name: .customShort("N"),
    help: ArgumentHelp("Notifications: never, or a list of success, failure and delay.", valueName: "when"))
  var notify: String?

  @Option(
    name: .customShort("R"), help: ArgumentHelp("What a bounce returns: full or hdrs.", valueName: "part"))
  var returned: String?

  @Option(name: .customShort("V"), help: ArgumentHelp("The envelope's id in notifications.", valueName: "id"))
  var envelopeID: String?

  @Flag(name: .customShort("v"), help: "Print the queue id to standard error.")
  var verbose = false

  @Flag(name: .customLong("bs", withSingleDash: true), help: "Speak SMTP on standard input and output.")
  var dialogue = false

  @Flag(name: .customLong("bp", withSingleDash: true), help: "List the waiting mail, as mailq does.")
  var list = false

  @Flag(name: .customShort("q"), help: "Make the waiting mail due now.")
  var retry = false

  @Flag(
    name: .customLong("bi", withSingleDash: true), help: "Do nothing and succeed, as newaliases does.")
  var rebuildsAliases = false

  @Flag(name: .customLong("read-envelope-from"), help: "Use the address in From as the sender.")
  var readsSender = false

  @Option(help: ArgumentHelp("The socket of pabal serve. Default: /run/pabal/submit.", valueName: "path"))
  var socket: String?

  @Option(
    help: ArgumentHelp(
      "The drop directory of pabal serve. Default: /var/spool/pabal/drop.", valueName: "directory"),
    completion: .directory)
  var drop: String?

  @Option(
    help: ArgumentHelp(
      "The configuration whose database's owner may queue directly. Default: /etc/pabal/config.json.",
      valueName: "file"),
    completion: .file(extensions: ["json"]))
  var config: String?

  @Argument(help: "The recipients.")
  var recipients: [String] = []

  func run() throws {
    throw try Sendmail.run(Array(CommandLine.arguments.dropFirst(2))).exitCode
  }

  /// Runs the command with `words`, its arguments.
  static func run(_ words: [String]) throws -> ExitStatus {
    let command = try SendmailCommand(words, acceptsBatch: true)
    let arguments = command.arguments
    switch arguments.mode {
    case .help:
      Terminal.printResult(Pabal.helpMessage(for: Sendmail.self))
    case .version: Terminal.printResult(pabalVersion)
    case .nothing: break
    case .send:
      return try command.submit { mail, failures throws(CommandError) in
        try OwnedOutbox(arguments.configuration, orElse: failures).add(mail.batch, id: mail.id)
      }
    case .batch(let id):
      do {
        try OwnedOutbox(arguments.configuration, orElse: arguments.failures)
          .add(readStandardInput(atMost: 1 << 30), id: id)
      } catch let error as FileError {
        throw CommandError(.noInput, [error.diagnostic])
      }
      command.report(id)
    case .dialogue: SendmailDialogue(arguments).run()
    case .list: try SendmailQueue(arguments).printList()
    case .retry: try SendmailQueue(arguments).retry()
    }
    return .sent
  }
}
