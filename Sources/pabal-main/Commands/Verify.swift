import ArgumentParser
import PabalCommand
import PabalCore
import PabalServer

/// `pabal verify`: proves that a person reads the mail of an address.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Prove that somebody reads the mail of an address: send a code, check it.",
    discussion: """
      Examples:
        pabal verify start you@example.com --language ko
        pabal verify check 4QXJ7M2ZP0R8T6V1W3Y5A9B7CD 123456
        pabal verify resend 4QXJ7M2ZP0R8T6V1W3Y5A9B7CD
      """,
    subcommands: [
      VerifyStart.self, VerifyResend.self, VerifyCheck.self, VerifyStatus.self, VerifyCancel.self,
      VerifyRedeem.self,
    ])
}

/// Sends a verification's mail in this process and returns when its first attempt has ended.
struct InProcessDispatch: ImmediateDispatch {
  let dispatcher: Dispatcher

  func reserve(_ lane: Lane, unknown: UnknownPolicy) async -> OutboxEntry.Lease? {
    // A mail that may not be sent twice is added as waiting: were this process to die with it, nobody
    // would send it any more.
    unknown == .resend ? await dispatcher.lease() : nil
  }

  func handOver(_ entry: OutboxEntry, _ mail: Mail) async { await dispatcher.deliver(entry, mail) }

  func release() async {}

  func wake() {}
}

extension CommandContext {
  /// Does `work`, which adds a mail to the outbox, and waits for that mail's first attempt unless it is to be
  /// left to `pabal serve`; gives how the verification stands then.
  func sendVerificationMail(
    queued: Bool, over names: [String],
    _ work: @escaping @Sendable (VerificationService) async throws(VerificationError) -> Verification
  ) throws(CommandError) -> Verification {
    let route = route(try checked(try transports(names)))
    defer { route.close() }
    let storage = try storage()
    defer { storage.database.close() }
    let dispatcher = dispatcher(storage, route) { event in
      if let line = event.line { Terminal.printError("pabal: \(line)") }
    }
    let service = try verifications(
      storage, dispatch: queued ? nil : InProcessDispatch(dispatcher: dispatcher))
    return try blockingAwait { () throws(CommandError) in
      do throws(VerificationError) {
        let verification = try await work(service)
        guard !queued else {
          await service.cleanUp()
          return verification
        }
        if let mail = verification.delivery, mail.state == .waiting {
          do throws(StorageError) {
            _ = try await dispatcher.deliver(mail.mail)
          } catch {
            throw VerificationError.storage(error)
          }
        }
        let shown = try await service.status(verification.id)
        await service.cleanUp()
        return shown
      } catch {
        throw CommandError(error)
      }
    }
  }

  /// Does `work` on the verifications, which adds no mail.
  func withVerifications<Value: Sendable>(
    _ work: @escaping @Sendable (VerificationService) async throws(VerificationError) -> Value
  ) throws(CommandError) -> Value {
    let storage = try storage()
    defer { storage.database.close() }
    let service = try verifications(storage)
    return try blockingAwait { () throws(CommandError) in
      do throws(VerificationError) {
        let value = try await work(service)
        await service.cleanUp()
        return value
      } catch {
        throw CommandError(error)
      }
    }
  }
}

extension DispatcherEvent {
  /// What somebody should know who waits for the mail; `nil` where the answer tells it.
  fileprivate var line: String? {
    switch self {
    case .paced(_, let transport, let until, isReturned: false):
      "the transport \(transport) has spent its pace; the mail leaves at \(until.text)"
    case .paced(_, let transport, let until, isReturned: true):
      "the transport \(transport) has spent its pace until \(until.text); the mail is in the outbox, and `pabal serve` sends it then if it is still of use"
    case .unsettled(let id, let problem):
      "the mail \(id) was handed over, but that could not be noted, and it may arrive twice: \(problem)"
    case .attempted, .settled, .held, .restored, .expedited, .codesDelayed, .lost, .unreadable, .storage: nil
    }
  }
}

extension VerificationService {
  /// The bounded share of housekeeping that a command does once it has its answer, which doesn't depend on it.
  fileprivate func cleanUp() async { _ = try? await sweep(limit: 100) }
}

extension CommandError {
  init(_ problem: VerificationError) {
    switch problem {
    case .storage(let problem): self.init(problem)
    case .limited(let limit, let wait):
      self.init(.deferred, [Diagnostic(problem.description)], reachedLimit: ReachedLimit(limit, wait))
    case .brokenMessage(let diagnostics): self.init(.input, diagnostics.all)
    case .unknown:
      self.init(.input, problem.description, remedy: "`verify start` prints the id; it is kept for a day")
    case .keys: self.init(.configuration, problem.description, remedy: "put the key it was made with back")
    case .ended, .input, .proof, .reused: self.init(.input, problem.description)
    }
  }
}

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

/// `pabal verify check`.
struct VerifyCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Say whether a code is the right one.",
    discussion: """
      Exit status: 0 approved, 1 anything else that was judged, 65 there is no such verification.

      Example:
        pabal verify check 4QXJ7M2ZP0R8T6V1W3Y5A9B7CD 123456
      """)

  @Argument(help: "The verification's id.")
  var id: String

  @Argument(help: "The code as it was typed; - reads it from standard input.")
  var code: String

  @Option(help: ArgumentHelp("The address of whoever asks, for limits.", valueName: "ip"))
  var client: String?

  @OptionGroup var common: CommonOptions

  func run() throws {
    let context = try CommandContext(common)
    let (id, code, client) = (id, try enteredCode(), client)
    let answer = try context.withVerifications { service throws(VerificationError) in
      try await service.check(id, code: code, client: client)
    }
    if common.json {
      try Terminal.printResult(json: VerificationCheckJSON(answer))
    } else {
      Terminal.printResult(text(answer))
    }
    if answer.outcome != .approved { throw ExitCode(1) }
  }

  private func enteredCode() throws(CommandError) -> String {
    guard code == "-" else { return code }
    do throws(FileError) {
      return String(decoding: try readStandardInput(atMost: 1_024), as: UTF8.self)
    } catch {
      throw CommandError(.input, "the code: \(error.message)", remedy: error.remedy)
    }
  }

  private func text(_ answer: VerificationCheckResult) -> String {
    switch answer.outcome {
    case .approved: "approved" + (answer.proof.map { "\nproof \($0)" } ?? "")
    case .mismatch:
      answer.attemptsRemaining > 0
        ? "mismatch: not the code; \(answer.attemptsRemaining) attempts left"
        : "mismatch: not the code, and that was the last attempt; start anew"
    case .superseded: "superseded: a newer code took this one's place; look for the newest mail"
    case .expired: "expired: the code's time is over; start anew"
    case .exhausted: "exhausted: no more codes are judged; start anew"
    case .alreadyApproved: "already_approved: the right code came before"
    case .cancelled: "cancelled: the verification was taken back"
    }
  }
}

/// `pabal verify redeem`.
struct VerifyRedeem: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redeem", abstract: "Trade a proof, once, for the address it proves.")

  @Argument(help: "The proof that `check` gave.")
  var proof: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    let context = try CommandContext(common)
    let proof = proof
    let proven = try context.withVerifications { service throws(VerificationError) in
      try await service.redeem(proof)
    }
    if common.json {
      try Terminal.printResult(json: ProvenAddressJSON(proven))
    } else {
      Terminal.printResult("\(proven.address) proved for \(proven.purpose) at \(proven.approved.text)")
    }
  }
}

/// `pabal verify status`.
struct VerifyStatus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show how a verification and its mail stand.")

  @Argument(help: "The verification's id.")
  var id: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    let id = id
    try common.show { service throws(VerificationError) in try await service.status(id) }
  }
}

/// `pabal verify cancel`.
struct VerifyCancel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Take a verification back; mail that still waits isn't sent.")

  @Argument(help: "The verification's id.")
  var id: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    let id = id
    try common.show { service throws(VerificationError) in try await service.cancel(id) }
  }
}

extension CommonOptions {
  /// Shows the verification that `work` gives.
  fileprivate func show(
    _ work: @escaping @Sendable (VerificationService) async throws(VerificationError) -> Verification
  ) throws {
    try VerificationOutput(try CommandContext(self).withVerifications(work)).show(asJSON: json)
  }
}
