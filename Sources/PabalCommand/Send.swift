package import ArgumentParser
import FoundationEssentials
import PabalCore
import PabalMessages

/// `pabal send`: one mail, at once.
package struct Send: ParsableCommand {
  package static let configuration = CommandConfiguration(
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

  @OptionGroup(title: "What is sent") var content: MailContent

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

  package init() {}

  package func validate() throws {
    try content.validate(addresses: addresses)
    if let count, !(1...100_000_000).contains(count) {
      throw ValidationError("--count takes a number from 1 to 100000000.")
    }
    guard (1...256).contains(parallel) else {
      throw ValidationError("--parallel takes a number from 1 to 256.")
    }
    if count == nil, parallel != 1 { throw ValidationError("--parallel goes with --count.") }
  }

  package func run() throws {
    let assembly = try Assembly(common)
    let maker = try MailMaker(content, addresses: addresses, assembly: assembly)
    guard !dryRun else {
      try show(try maker.mail())
      return
    }
    if common.json { Terminal.keepOutputClean() }
    let transports = try assembly.checked(try assembly.transports(transport))
    let route = assembly.route(transports)
    defer { route.close() }
    if let count {
      try sendMany(count, maker, transports, route)
    } else {
      try sendOne(maker, transports, route)
    }
  }

  private func sendOne(
    _ maker: MailMaker, _ transports: [CheckedTransport], _ route: Route
  ) throws {
    let mail = try maker.mail()
    // Where there is no other transport to take the mail, one that can't be opened is a wrong set-up.
    if transports.count == 1 { try open(route) }
    let delivery = route.deliver(mail, unknown: maker.unknown)
    let outcome = delivery.receipt.outcome
    if common.json {
      try Terminal.answer(json: SendReport(delivery))
    } else if outcome == .sent {
      Terminal.answer(SendReport.text(delivery))
    } else {
      Terminal.tell(SendReport.text(delivery))
    }
    route.close()
    if outcome != .sent { throw ExitStatus(outcome).code }
  }

  private func sendMany(
    _ count: Int, _ maker: MailMaker, _ transports: [CheckedTransport], _ route: Route
  ) throws {
    if !yes, let far = transports.first(where: { !$0.staysHere }) {
      throw Failure(
        .usage, "--count would send \(count) mails to another machine, by “\(far.name)”",
        cure: "say --yes if that machine is yours and expects them")
    }
    if transports.count == 1 { try open(route) }
    let (summary, worst) = try LoadRun(
      route: route, unknown: maker.unknown, count: count, parallel: parallel,
      mail: { () throws(Failure) in try maker.mail() }
    ).run()
    if common.json {
      try Terminal.answer(json: summary)
    } else {
      Terminal.answer(summary.text)
    }
    route.close()
    if worst != .sent { throw ExitStatus(worst).code }
  }

  private func open(_ route: Route) throws(Failure) {
    do throws(Diagnostic) {
      try route.transport(0)
    } catch {
      throw Failure(.configuration, [error])
    }
  }

  private struct DryRun: Encodable {
    let messageID: String
    let sender: OrNull<String>
    let recipients: [String]
    /// Null where they are not UTF-8.
    let octets: OrNull<String>
    let base64: Data

    enum CodingKeys: String, CodingKey {
      case sender, recipients, octets
      case base64 = "octets_base64"
      case messageID = "message_id"
    }
  }

  private func show(_ mail: Mail) throws {
    guard common.json else {
      Terminal.write(mail.octets)
      return
    }
    try Terminal.answer(
      json: DryRun(
        messageID: mail.messageID, sender: OrNull(mail.envelope.sender?.description),
        recipients: mail.envelope.recipients.map(\.description),
        octets: OrNull(String(validating: mail.octets, as: UTF8.self)), base64: Data(mail.octets)))
  }
}

extension CheckedTransport {
  /// Whether mail by this transport stays on this machine: its far side, where it has one, is loopback.
  ///
  /// A transport with a far side names it by a setting `host` or `endpoint`, as `pabal_transport.h` asks.
  fileprivate var staysHere: Bool {
    let farSides = settings.filter { ["host", "endpoint"].contains($0.key) && $0.given }
    // Whoever logs in somewhere and doesn't say where is not staying here.
    guard !farSides.isEmpty || !settings.contains(where: { $0.kind == .account && $0.given }) else {
      return false
    }
    return farSides.allSatisfy { $0.text.literal.map(isLoopback) ?? false }
  }
}

/// Whether a host name, an address or a URL's host is this machine's loopback.
func isLoopback(_ text: String) -> Bool {
  var host = Substring(text)
  if let scheme = host.firstRange(of: "://") {
    host = host[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    if let user = host.lastIndex(of: "@") { host = host[host.index(after: user)...] }
  }
  if host.hasPrefix("[") {
    host = host.dropFirst().prefix { $0 != "]" }
  } else if host.count(where: { $0 == ":" }) == 1 {
    host = host.prefix { $0 != ":" }
  }
  if host.lowercased() == "localhost" || host == "::1" { return true }
  let parts = host.split(separator: ".", omittingEmptySubsequences: false)
  return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
}
