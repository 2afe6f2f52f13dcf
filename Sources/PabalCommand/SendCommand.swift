import FoundationEssentials
import PabalCore
import PabalFormats
import PabalMessages

/// What `pabal send` is asked to do: one mail, at once.
package struct SendCommand: Sendable, Equatable {
  /// Who is to get it.
  package var addresses: [String] = []
  /// What is sent.
  package var content = MailContent()
  /// Transports to use instead of the configuration's, in order.
  package var transports: [String] = []
  /// Whether the finished mail is printed and nothing is sent.
  package var dryRun = false
  /// How many times it is sent, 1 to 100,000,000; `nil` for once and a report of it.
  package var count: Int?
  /// How many at once, 1 to 256.
  package var parallel = 1
  /// Whether many may go to another machine.
  package var yes = false
  /// What every command takes.
  package var options = CommandOptions()

  package init() {}

  /// Why these can't go together, seen before anything is read; `nil` where they can.
  package var conflict: String? {
    if let conflict = content.conflict { return conflict }
    if addresses.isEmpty, content.eml == nil { return "Say who is to get it: pabal send you@example.com" }
    if let count, !(1...100_000_000).contains(count) {
      return "--count takes a number from 1 to 100000000."
    }
    if !(1...256).contains(parallel) { return "--parallel takes a number from 1 to 256." }
    return count == nil && parallel != 1 ? "--parallel goes with --count." : nil
  }

  /// Does it; gives what the command ends with.
  package func run() throws -> ExitStatus {
    let context = try CommandContext(options)
    let factory = try SendMailFactory(content, addresses: addresses, context: context)
    guard !dryRun else {
      try printMail(try factory.mail())
      return .sent
    }
    if options.json { Terminal.reserveStandardOutput() }
    let transports = try context.checked(try context.transports(transports))
    let route = context.route(transports)
    defer { route.close() }
    return if let count {
      try sendMany(count, factory, transports, route)
    } else {
      try sendOne(factory, transports, route)
    }
  }

  private func sendOne(
    _ factory: SendMailFactory, _ transports: [CheckedTransport], _ route: Route
  ) throws -> ExitStatus {
    let mail = try factory.mail()
    // Where there is no other transport to take the mail, one that can't be opened is a wrong set-up.
    if transports.count == 1 { try open(route) }
    let delivery = route.deliver(mail, unknown: factory.unknown)
    let outcome = delivery.receipt.outcome
    if options.json {
      try Terminal.printResult(json: SendReport(delivery))
    } else if outcome == .sent {
      Terminal.printResult(SendReport.text(delivery))
    } else {
      Terminal.printError(SendReport.text(delivery))
    }
    return ExitStatus(outcome)
  }

  private func sendMany(
    _ count: Int, _ factory: SendMailFactory, _ transports: [CheckedTransport], _ route: Route
  ) throws -> ExitStatus {
    if !yes, let remote = transports.first(where: { !$0.staysOnThisMachine }) {
      throw CommandError(
        .usage, "--count would send \(count) mails to another machine, by “\(remote.name)”",
        remedy: "say --yes if that machine is yours and expects them")
    }
    if transports.count == 1 { try open(route) }
    let (summary, worst) = try LoadTest(
      route: route, unknown: factory.unknown, count: count, parallel: parallel,
      mail: { () throws(CommandError) in try factory.mail() }
    ).run()
    if options.json {
      try Terminal.printResult(json: summary)
    } else {
      Terminal.printResult(summary.text)
    }
    return ExitStatus(worst)
  }

  private func open(_ route: Route) throws(CommandError) {
    do throws(Diagnostic) {
      try route.transport(0)
    } catch {
      throw CommandError(.configuration, [error])
    }
  }

  private struct DryRun: Encodable {
    let messageID: String
    let sender: OrNull<String>
    let recipients: [String]
    /// Null where they are not UTF-8.
    let bytes: OrNull<String>
    let base64: Data

    enum CodingKeys: String, CodingKey {
      case sender = "sender"
      case recipients = "recipients"
      case bytes = "octets"
      case base64 = "octets_base64"
      case messageID = "message_id"
    }
  }

  private func printMail(_ mail: Mail) throws {
    guard options.json else {
      Terminal.write(mail.bytes)
      return
    }
    try Terminal.printResult(
      json: DryRun(
        messageID: mail.messageID, sender: OrNull(mail.envelope.sender?.description),
        recipients: mail.envelope.recipients.map(\.description),
        bytes: OrNull(String(validating: mail.bytes, as: UTF8.self)), base64: Data(mail.bytes)))
  }
}

extension CheckedTransport {
  /// Whether mail by this transport stays on this machine: its far side, where it has one, is loopback.
  ///
  /// A transport with a far side names it by a setting `host` or `endpoint`, as `pabal_transport.h` asks.
  fileprivate var staysOnThisMachine: Bool {
    let endpoints = settings.filter { ["host", "endpoint"].contains($0.key) && $0.isSet }
    // Whoever logs in somewhere and doesn't say where is not staying here.
    guard !endpoints.isEmpty || !settings.contains(where: { $0.kind == .account && $0.isSet }) else {
      return false
    }
    return endpoints.allSatisfy { $0.text.literal.map(LoopbackHost.matches(destination:)) ?? false }
  }
}
