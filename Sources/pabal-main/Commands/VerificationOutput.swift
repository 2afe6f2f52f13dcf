import PabalCommand
import PabalCore

/// A verification as the command shows it.
struct VerificationOutput {
  private let fields: VerificationJSON
  private let deliveryState: MailStatus.State?

  init(_ verification: Verification) {
    fields = VerificationJSON(verification)
    deliveryState = verification.delivery?.state
  }

  /// Shows it, and ends the command with the status that its mail deserves.
  func printResult(asJSON: Bool) throws {
    try show(asJSON: asJSON)
    switch deliveryState {
    case .waiting, .sending, .sent, nil: return
    case .deferred where mayHaveArrived: throw ExitStatus.unknown.exitCode
    case .deferred, .expired, .superseded, .cancelled: throw ExitStatus.deferred.exitCode
    case .held: throw ExitStatus.held.exitCode
    case .rejected: throw ExitStatus.rejected.exitCode
    case .unknown: throw ExitStatus.unknown.exitCode
    }
  }

  /// Shows it.
  func show(asJSON: Bool) throws {
    guard !asJSON else { return try Terminal.printResult(json: fields) }
    var lines = ["\(fields.status)  \(fields.id)  \(fields.to) (\(fields.purpose))"]
    if let mail = fields.delivery.value {
      let reply = mail.reply.value.map { ", \($0)" } ?? ""
      lines.append("  mail \(mail.status)\(reply)\(advice.map { "; \($0)" } ?? "")")
    }
    if fields.status == VerificationState.pending.rawValue {
      lines.append(
        "  code \(fields.generation) valid until \(fields.expires), \(fields.attempts) attempts left")
      if let resend = fields.resend.value {
        lines.append("  resend from \(resend), \(fields.sends) mails left")
      }
    }
    Terminal.printResult(lines.joined(separator: "\n"))
  }

  /// Whether the last attempt ended without anybody knowing whether the mail was taken.
  private var mayHaveArrived: Bool {
    fields.delivery.value?.outcome.value == Outcome.unknown.name
  }

  private var advice: String? {
    switch deliveryState {
    case .deferred where mayHaveArrived:
      "it may have arrived, or not; `pabal serve` sends it again until the code expires"
    case .deferred: "`pabal serve` tries again until the code expires"
    case .held: "the account or the transport's set-up is at fault, see `pabal check`"
    case .rejected where fields.delivery.value?.outcome.value == Outcome.unsuited.name:
      "no transport can carry this mail, whatever the address: see `pabal transports`; nothing of it counts against a limit"
    case .rejected: "this address will never be taken; nothing of it counts against a limit"
    case .unknown: "it may have arrived, or not"
    case .waiting: "`pabal serve` sends it"
    case .sending, .sent, .expired, .superseded, .cancelled, nil: nil
    }
  }
}
