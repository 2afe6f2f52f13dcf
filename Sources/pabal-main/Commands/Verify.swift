import ArgumentParser
import PabalCommand
import PabalCore
import PabalServer

/// `pabal verify`: verifies that a person reads the mail of an address.
struct Verify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Verify an address: send a code, then check the code that was entered.",
    discussion: """
      Examples:
        pabal verify start you@example.com --language ko
        pabal verify check 4QXJ7M2ZP0R8T6V1W3Y5A9B7CD 123456
        pabal verify resend 4QXJ7M2ZP0R8T6V1W3Y5A9B7CD
      """,
    subcommands: [
      VerifyStart.self, VerifyResend.self, VerifyCheck.self, VerifyStatus.self, VerifyFind.self,
      VerifyCancel.self, VerifyRedeem.self,
    ])
}

/// `pabal verify start`.
struct VerifyStart: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Send a code to an address.",
    discussion: """
      Sends the mail immediately and reports the result; if that fails temporarily, `pabal serve` retries until the \
      code expires. A new start for the same address and purpose invalidates the previous code.

      Exit status: 0 sent or queued, 69 rejected, 74 unknown, 75 deferred or limit reached, 77 held.

      Example:
        pabal verify start you@example.com --language ko --set service="My shop"
      """)

  @Argument(help: "The address to verify.")
  var address: String

  @Option(help: "The purpose; a code is only valid for its own purpose.")
  var purpose = "sign-up"

  @Option(
    help: ArgumentHelp("Preferred languages, best first, separated by commas or repeated.", valueName: "tag"))
  var language: [String] = []

  @Option(
    help: ArgumentHelp("Use this message instead of config.json's for codes or notices.", valueName: "name"))
  var message: String?

  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("The value of a variable of the message; repeatable.", valueName: "name=value"))
  var variables: [String] = []

  @Option(help: ArgumentHelp("The IP address of the requesting person, for limits.", valueName: "ip"))
  var client: String?

  @Flag(help: "Send a message without a code, for an address that is already registered.")
  var notice = false

  @OptionGroup var sending: VerifySending

  @OptionGroup var common: CommonOptions

  func run() throws {
    let variables = try SendMailFactory.texts(variables)
    let context = try CommandContext(common)
    let languages = commaSeparated(language)
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
    commandName: "resend", abstract: "Send a new code and invalidate the previous one.")

  @Argument(help: "The verification's id.")
  var id: String

  @Option(help: ArgumentHelp("The IP address of the requesting person, for limits.", valueName: "ip"))
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

/// How the mail of a start or resend is sent.
struct VerifySending: ParsableArguments {
  @Flag(help: "Only enqueue the mail; `pabal serve` sends it.")
  var queue = false

  @Option(
    name: .long,
    help: ArgumentHelp("Use this transport instead of config.json's; several in order.", valueName: "name"))
  var transport: [String] = []
}

/// `pabal verify check`.
struct VerifyCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Check a code.",
    discussion: """
      Exit status: 0 approved, 1 not approved, 65 no such verification.

      Example:
        pabal verify check 4QXJ7M2ZP0R8T6V1W3Y5A9B7CD 123456
      """)

  @Argument(help: "The verification's id.")
  var id: String

  @Argument(help: "The code as entered; - reads it from standard input.")
  var code: String

  @Option(help: ArgumentHelp("The IP address of the requesting person, for limits.", valueName: "ip"))
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
      throw CommandError(.input, "code: \(error.message)", remedy: error.remedy)
    }
  }

  private func text(_ answer: VerificationCheckResult) -> String {
    switch answer.outcome {
    case .approved: "approved" + (answer.proof.map { "\nproof \($0)" } ?? "")
    case .mismatch:
      answer.attemptsRemaining > 0
        ? "mismatch: wrong code; attempts left: \(answer.attemptsRemaining)"
        : "mismatch: wrong code, and no attempts left; start a new verification"
    case .superseded: "superseded: a newer code was sent; use the newest mail"
    case .expired: "expired: the code has expired; start a new verification"
    case .exhausted: "exhausted: too many wrong codes; start a new verification"
    case .alreadyApproved: "already_approved: the right code was already entered"
    case .cancelled: "cancelled: the verification was cancelled"
    case .undeliverable: "undeliverable: the mail with the code was rejected; check the address"
    }
  }
}

/// `pabal verify redeem`.
struct VerifyRedeem: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "redeem", abstract: "Exchange a proof, once, for the verified address.")

  @Argument(help: "The proof that `verify check` printed.")
  var proof: String

  @Option(help: "The purpose that the proof must be for; otherwise it is refused and stays valid.")
  var purpose: String?

  @OptionGroup var common: CommonOptions

  func run() throws {
    let context = try CommandContext(common)
    let (proof, purpose) = (proof, purpose)
    let proven = try context.withVerifications { service throws(VerificationError) in
      try await service.redeem(proof, purpose: purpose)
    }
    if common.json {
      try Terminal.printResult(json: ProvenAddressJSON(proven))
    } else {
      Terminal.printResult("\(proven.address) verified for \(proven.purpose) at \(proven.approved.text)")
    }
  }
}

/// `pabal verify status`.
struct VerifyStatus: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show the state of a verification and its mail.")

  @Argument(help: "The verification's id, or its reference: the last six characters of the id.")
  var id: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    let id = id
    try common.show { service throws(VerificationError) in
      let isReference =
        id.utf8.count >= 6 && id.utf8.count < Verification.completeIDLength
        && id.utf8.allSatisfy { 0x30...0x39 ~= $0 || 0x61...0x7A ~= $0 | 0x20 }
      guard isReference else { return try await service.status(id) }
      let found = try await service.find(reference: id)
      guard found.count < 2 else {
        let ids = found.map(\.id).joined(separator: ", ")
        throw .input(field: "id", message: "several verifications end with \(id): \(ids); use the whole id")
      }
      guard let found = found.first else { throw .unknown }
      return found
    }
  }
}

/// `pabal verify find`.
struct VerifyFind: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "find", abstract: "Find the verifications of an address.",
    discussion: """
      Lists the newest verifications of the mailbox, of any purpose and in any state, with what became of their mails. \
      A verification is kept for the time in verification.retention after it has ended.

      Example:
        pabal verify find you@example.com
      """)

  @Argument(help: "The address.")
  var address: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    let address = address
    let found = try CommandContext(common).withVerifications { service throws(VerificationError) in
      try await service.find(address: address)
    }
    if common.json { return try Terminal.printResult(json: FoundVerificationsJSON(found)) }
    guard !found.isEmpty else {
      return Terminal.printResult("no verifications of this address are stored")
    }
    for verification in found {
      Terminal.printResult("\(verification.created.text)  \(verification.reference)")
      try VerificationOutput(verification).show(asJSON: false)
    }
  }
}

/// `pabal verify cancel`.
struct VerifyCancel: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "Cancel a verification and its unsent mail.")

  @Argument(help: "The verification's id.")
  var id: String

  @OptionGroup var common: CommonOptions

  func run() throws {
    let id = id
    try common.show { service throws(VerificationError) in try await service.cancel(id) }
  }
}

extension CommonOptions {
  /// Prints the verification that `work` returns.
  fileprivate func show(
    _ work: @escaping @Sendable (VerificationService) async throws(VerificationError) -> Verification
  ) throws {
    try VerificationOutput(try CommandContext(self).withVerifications(work)).show(asJSON: json)
  }
}
