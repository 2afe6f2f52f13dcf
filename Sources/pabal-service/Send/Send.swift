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
    if let conflict = request.conflict { throw ValidationError(conflict) }
  }

  func run() throws {
    let status = try request.run()
    if status != .sent { throw status.code }
  }

  private var request: SendRequest {
    var request = SendRequest()
    request.addresses = addresses
    request.content = content.content
    request.transports = transport
    request.dryRun = dryRun
    request.count = count
    request.parallel = parallel
    request.yes = yes
    request.surroundings = common.options
    return request
  }
}
