import ArgumentParser
import PabalCommand
import PabalCore

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
    let proven = try context.withVerifications { service throws(VerificationError) in try await service.redeem(proof)
    }
    if common.json {
      try Terminal.printResult(json: ProvenAddressJSON(proven))
    } else {
      Terminal.printResult("\(proven.address) proved for \(proven.purpose) at \(proven.approved.text)")
    }
  }
}
