import PabalCommand
import PabalCore

/// A verification as the command shows it, in JSON by the names of the HTTP service; times are UTC.
struct VerificationShown: Encodable {
  struct Delivery: Encodable {
    let mail: String
    let status: String
    let outcome: OrNull<String>
    /// The digits of the last reply.
    let reply: OrNull<String>
  }

  let id: String
  let reference: String
  let purpose: String
  let status: String
  let to: String
  let generation: Int
  let createdAt: String
  let expiresAt: String
  let resendAt: OrNull<String>
  let sendsRemaining: Int
  let attemptsRemaining: Int
  let codeLength: Int
  let language: OrNull<String>
  let delivery: OrNull<Delivery>
  private let deliveryState: VerificationDelivery.State?

  enum CodingKeys: String, CodingKey {
    case id, reference, purpose, status, generation, language, delivery
    case to = "to_masked"
    case createdAt = "created_at"
    case expiresAt = "expires_at"
    case resendAt = "resend_at"
    case sendsRemaining = "sends_remaining"
    case attemptsRemaining = "attempts_remaining"
    case codeLength = "code_length"
  }

  init(_ verification: Verification) {
    id = verification.id
    reference = verification.reference
    purpose = verification.purpose
    status = verification.state.rawValue
    to = verification.masked
    generation = verification.generation
    createdAt = verification.created.text
    expiresAt = verification.expires.text
    resendAt = OrNull(verification.resendAt?.text)
    sendsRemaining = verification.sendsRemaining
    attemptsRemaining = verification.attemptsRemaining
    codeLength = verification.digits
    language = OrNull(verification.language)
    deliveryState = verification.delivery?.state
    delivery = OrNull(
      verification.delivery.map {
        Delivery(
          mail: $0.mail, status: $0.state.rawValue, outcome: OrNull($0.outcome), reply: OrNull($0.status))
      })
  }

  /// Shows it, and ends the command with the status that its mail deserves.
  func answer(inJSON: Bool) throws {
    try show(inJSON: inJSON)
    switch deliveryState {
    case .waiting, .sending, .sent, nil: return
    case .deferred where mayHaveArrived: throw ExitStatus.unknown.code
    case .deferred, .expired, .superseded, .cancelled: throw ExitStatus.deferred.code
    case .held: throw ExitStatus.held.code
    case .rejected: throw ExitStatus.rejected.code
    case .unknown: throw ExitStatus.unknown.code
    }
  }

  /// Shows it.
  func show(inJSON: Bool) throws {
    guard !inJSON else { return try Terminal.answer(json: self) }
    var lines = ["\(status)  \(id)  \(to) (\(purpose))"]
    if let mail = delivery.value {
      let reply = mail.reply.value.map { ", \($0)" } ?? ""
      lines.append("  mail \(mail.status)\(reply)\(advice.map { "; \($0)" } ?? "")")
    }
    if status == VerificationState.pending.rawValue {
      lines.append("  code \(generation) valid until \(expiresAt), \(attemptsRemaining) attempts left")
      if let resendAt = resendAt.value {
        lines.append("  resend from \(resendAt), \(sendsRemaining) mails left")
      }
    }
    Terminal.answer(lines.joined(separator: "\n"))
  }

  /// Whether the last attempt ended without anybody knowing whether the mail was taken.
  private var mayHaveArrived: Bool {
    delivery.value?.outcome.value == Outcome.unknown.name
  }

  private var advice: String? {
    switch deliveryState {
    case .deferred where mayHaveArrived:
      "it may have arrived, or not; `pabal serve` sends it again until the code expires"
    case .deferred: "`pabal serve` tries again until the code expires"
    case .held: "the account or the transport's set-up is at fault, see `pabal check`"
    case .rejected where delivery.value?.outcome.value == Outcome.unsuited.name:
      "no transport can carry this mail, whatever the address: see `pabal transports`; nothing of it counts against a limit"
    case .rejected: "this address will never be taken; nothing of it counts against a limit"
    case .unknown: "it may have arrived, or not"
    case .waiting: "`pabal serve` sends it"
    case .sending, .sent, .expired, .superseded, .cancelled, nil: nil
    }
  }
}
