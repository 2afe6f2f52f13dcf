import ArgumentParser
import PabalCommand
import PabalCore

/// `pabal verify start`.
struct VerifyStart: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Send a code to an address.",
    discussion: """
      Sends it at once and says what became of the mail; where that fails for now, `pabal serve` tries again \
      until the code has expired. A newer start for the same address and purpose makes the older code worthless.

      Exit status: 0 sent or queued, 69 rejected, 74 unknown, 75 deferred or a limit, 77 held.

      Example:
        pabal verify start you@example.com --language ko --set service="My shop"
      """)

  @Argument(help: "Whose address is to be proved.")
  var address: String

  @Option(help: "What is proved; codes of one purpose are worth nothing for another.")
  var purpose = "sign-up"

  @Option(help: ArgumentHelp("A language, the best first; repeatable.", valueName: "tag"))
  var language: [String] = []

  @Option(help: ArgumentHelp("Another message than config.json's for a code or a notice.", valueName: "name"))
  var message: String?

  @Option(name: .customLong("set"), help: ArgumentHelp("A value for the message.", valueName: "name=value"))
  var variables: [String] = []

  @Option(help: ArgumentHelp("The address of whoever asks, for limits.", valueName: "ip"))
  var client: String?

  @Flag(help: "Send a message without a code, as to somebody who is registered already.")
  var notice = false

  @OptionGroup var sending: VerifySending

  @OptionGroup var common: CommonOptions

  func run() throws {
    let variables = try SendMailFactory.texts(variables)
    let context = try CommandContext(common)
    let languages = language.flatMap { $0.split(separator: ",").map { String($0).trimmed } }.filter {
      !$0.isEmpty
    }
    let (address, purpose, message, notice, client) = (address, purpose, message, notice, client)
    let verification = try context.sendVerificationMail(queued: sending.queue, over: sending.transport) {
      service throws(VerificationError) in
      try await service.start(
        to: address, purpose: purpose, languages: languages, message: message, variables: variables,
        notice: notice, client: client)
    }
    try VerificationOutput(verification).printResult(asJSON: common.json)
  }
}

/// `pabal verify resend`.
struct VerifyResend: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resend", abstract: "Send a new code; the one before is worthless then.")

  @Argument(help: "The verification's id.")
  var id: String

  @Option(help: ArgumentHelp("The address of whoever asks, for limits.", valueName: "ip"))
  var client: String?

  @OptionGroup var sending: VerifySending

  @OptionGroup var common: CommonOptions

  func run() throws {
    let context = try CommandContext(common)
    let (id, client) = (id, client)
    let verification = try context.sendVerificationMail(queued: sending.queue, over: sending.transport) {
      service throws(VerificationError) in try await service.resend(id, client: client)
    }
    try VerificationOutput(verification).printResult(asJSON: common.json)
  }
}

/// How the mail of a start or resend goes out.
struct VerifySending: ParsableArguments {
  @Flag(help: "Only put the mail into the outbox; `pabal serve` sends it.")
  var queue = false

  @Option(
    name: .long,
    help: ArgumentHelp("Use this transport instead of config.json's; several in order.", valueName: "name"))
  var transport: [String] = []
}
