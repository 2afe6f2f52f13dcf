import PabalCommand
import PabalCore

/// A verification as the command prints it.
struct VerificationOutput {
  private let fields: VerificationJSON
  private let deliveryState: MailStatus.State?

  init(_ verification: Verification) {
    fields = VerificationJSON(verification)
    deliveryState = verification.delivery?.state
  }

  /// Prints the verification; throws the exit status if its mail wasn't sent.
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

  /// Prints the verification.
  func show(asJSON: Bool) throws {
    guard !asJSON else { return try Terminal.printResult(json: fields) }
    var lines = ["\(fields.status)  \(fields.id)  \(fields.to) (\(fields.purpose))"]
    if let mail = fields.delivery.value {
      let reply = mail.reply.value.map { ", \($0)" } ?? ""
      lines.append("  mail \(mail.status)\(reply)\(advice.map { "; \($0)" } ?? "")")
    }
    if fields.status == VerificationState.pending.rawValue {
      lines.append(
        "  code \(fields.generation) valid until \(fields.expires), attempts left: \(fields.attempts)")
      if let resend = fields.resend.value {
        lines.append("  resend possible from \(resend), mails left: \(fields.sends)")
      }
    }
    Terminal.printResult(lines.joined(separator: "\n"))
  }

  /// Whether the last attempt ended `unknown`, so that the mail may have arrived.
  private var mayHaveArrived: Bool {
    fields.delivery.value?.outcome.value == Outcome.unknown.name
  }

  private var advice: String? {
    switch deliveryState {
    case .deferred where mayHaveArrived:
      "it may have arrived; `pabal serve` sends it again until the code expires"
    case .deferred: "`pabal serve` retries until the code expires"
    case .held: "the account or the transport's configuration is at fault; run `pabal check`"
    case .rejected where fields.delivery.value?.outcome.value == Outcome.unsuited.name:
      "no transport can carry this mail, whatever the address; see `pabal transports` (it doesn't count towards a limit)"
    case .rejected: "the address doesn't accept mail (it doesn't count towards a limit)"
    case .unknown: "it may have arrived"
    case .waiting: "`pabal serve` sends it"
    case .sending, .sent, .expired, .superseded, .cancelled, nil: nil
    }
  }
}
