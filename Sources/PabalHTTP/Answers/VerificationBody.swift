internal import PabalCore

/// A verification as the service answers it; times are UTC.
struct VerificationBody: Encodable {
  struct Delivery: Encodable {
    let status: String
    let mail: String
    /// How the last attempt ended, and the digits of its reply.
    let outcome: OrNull<String>
    let reply: OrNull<String>
  }

  let id: String
  let status: String
  let purpose: String
  let to: String
  let reference: String
  let generation: Int
  let created: String
  let expires: String
  let resend: OrNull<String>
  let sends: Int
  let attempts: Int
  let codeLength: Int
  let language: OrNull<String>
  let delivery: OrNull<Delivery>

  enum CodingKeys: String, CodingKey {
    case id, status, purpose, reference, generation, language, delivery
    case to = "to_masked"
    case created = "created_at"
    case expires = "expires_at"
    case resend = "resend_at"
    case sends = "sends_remaining"
    case attempts = "attempts_remaining"
    case codeLength = "code_length"
  }

  init(_ verification: Verification) {
    id = verification.id
    status = verification.state.rawValue
    purpose = verification.purpose
    to = verification.masked
    reference = verification.reference
    generation = verification.generation
    created = verification.created.text
    expires = verification.expires.text
    resend = OrNull(verification.resendAt?.text)
    sends = verification.sendsRemaining
    attempts = verification.attemptsRemaining
    codeLength = verification.digits
    language = OrNull(verification.language)
    delivery = OrNull(
      verification.delivery.map {
        Delivery(
          status: $0.state.rawValue, mail: $0.mail, outcome: OrNull($0.outcome), reply: OrNull($0.status))
      })
  }
}
