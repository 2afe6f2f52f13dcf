import FoundationEssentials
import PabalCore
import PabalFormats
import PabalMessages

/// A `pabal send` command: sends one mail immediately, or many as a load test, without queueing them.
package struct SendCommand: Sendable, Equatable {
  /// The recipients, as typed.
  package var addresses: [String] = []
  /// The content of the mail.
  package var content = MailContent()
  /// Transports to use instead of the configuration's, in order.
  package var transports: [String] = []
  /// Whether the finished mail is printed instead of sent.
  package var dryRun = false
  /// The number of mails of a load test, 1 to 100,000,000; `nil` sends one and reports on it in detail.
  package var count: Int?
  /// The number of mails sent at the same time, 1 to 256.
  package var parallel = 1
  /// Whether a load test may send to another machine.
  package var yes = false
  /// The options that every command has.
  package var options = CommandOptions()

  package init() {}

  /// Why the options exclude each other, judged before any file is read; `nil` if they don't.
  package var conflict: String? {
    if let conflict = content.conflict { return conflict }
    if addresses.isEmpty, content.eml == nil {
      return "Name at least one recipient: pabal send you@example.com"
    }
    if let count, !(1...100_000_000).contains(count) {
      return "--count must be from 1 to 100000000."
    }
    if !(1...256).contains(parallel) { return "--parallel must be from 1 to 256." }
    return count == nil && parallel != 1 ? "--parallel requires --count." : nil
  }

  /// Runs the command and returns its exit status.
  package func run() throws -> ExitStatus {
    let context = try CommandContext(options)
    let factory = try SendMailFactory(content, addresses: addresses, context: context)
    guard !dryRun else {
      try printMail(try factory.mail())
      return .sent
    }
    if options.json { Terminal.reserveStandardOutput() }
    let transports = try context.checked(
      try context.transports(transports) { () throws(CommandError) in try factory.mail() })
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
    // With a single transport, one that can't be opened is a configuration error, not a deferred mail.
    if transports.count == 1 { try open(route) }
    let delivery = route.deliver(mail, unknownPolicy: factory.unknown)
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
        .usage, "--count would send \(count) mails to another machine through “\(remote.name)”",
        remedy: "pass --yes if that machine is yours and expects them")
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
    /// The mail as text; null if it isn't UTF-8.
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
      guard Terminal.printsOnTerminal else {
        Terminal.write(mail.bytes)
        return
      }
      Terminal.printResult(mail.readableText)
      Terminal.printError(
        "\nThis is the mail decoded. To get its \(mail.bytes.count) bytes, send the output to a file or a pipe."
      )
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
  /// Whether mail sent through this transport stays on this machine: every server it names is loopback.
  ///
  /// A transport names its server in a setting `host` or `endpoint`, as `pabal_transport.h` requires. A value
  /// that is fetched later (`{"env": …}`) counts as another machine.
  fileprivate var staysOnThisMachine: Bool {
    let endpoints = settings.filter { ["host", "endpoint"].contains($0.key) && $0.isSet }
    // A transport with an account logs in somewhere, so without a server of its own it isn't local.
    guard !endpoints.isEmpty || !settings.contains(where: { $0.kind == .account && $0.isSet }) else {
      return false
    }
    return endpoints.allSatisfy { $0.text.literal.map(LoopbackHost.matches(destination:)) ?? false }
  }
}
