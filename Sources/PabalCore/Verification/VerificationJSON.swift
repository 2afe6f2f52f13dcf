/// The JSON form of a verification, for the HTTP API and the command. Times are in UTC.
package struct VerificationJSON: Encodable, Sendable {
  /// The JSON form of the mail's status.
  package struct DeliveryStatus: Encodable, Sendable {
    package let status: String
    package let mail: String
    /// The name of the last attempt's outcome.
    package let outcome: OrNull<String>
    /// The digits of the last reply.
    package let reply: OrNull<String>

    enum CodingKeys: String, CodingKey {
      case status = "status"
      case mail = "mail"
      case outcome = "outcome"
      case reply = "reply"
    }
  }

  package let id: String
  package let status: String
  package let purpose: String
  package let to: String
  package let reference: String
  package let generation: Int
  package let created: String
  package let expires: String
  package let resend: OrNull<String>
  package let sends: Int
  package let attempts: Int
  package let codeLength: Int
  package let language: OrNull<String>
  package let delivery: OrNull<DeliveryStatus>

  enum CodingKeys: String, CodingKey {
    case id = "id"
    case status = "status"
    case purpose = "purpose"
    case reference = "reference"
    case generation = "generation"
    case language = "language"
    case delivery = "delivery"
    case to = "to_masked"
    case created = "created_at"
    case expires = "expires_at"
    case resend = "resend_at"
    case sends = "sends_remaining"
    case attempts = "attempts_remaining"
    case codeLength = "code_length"
  }

  package init(_ verification: Verification) {
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
        DeliveryStatus(
          status: $0.state.rawValue, mail: $0.mail, outcome: OrNull($0.outcome), reply: OrNull($0.status))
      })
  }
}

/// The JSON form of the verifications that a search found.
package struct FoundVerificationsJSON: Encodable, Sendable {
  package let verifications: [VerificationJSON]

  enum CodingKeys: String, CodingKey {
    case verifications = "verifications"
  }

  package init(_ verifications: [Verification]) {
    self.verifications = verifications.map(VerificationJSON.init)
  }
}

/// The JSON form of the result of a check.
package struct VerificationCheckJSON: Encodable, Sendable {
  package let outcome: String
  package let attempts: Int
  package let proof: OrNull<String>

  enum CodingKeys: String, CodingKey {
    case outcome = "outcome"
    case proof = "proof"
    case attempts = "attempts_remaining"
  }

  package init(_ result: VerificationCheckResult) {
    outcome = result.outcome.rawValue
    attempts = result.attemptsRemaining
    proof = OrNull(result.proof)
  }
}

/// The JSON form of a proven address.
package struct ProvenAddressJSON: Encodable, Sendable {
  package let id: String
  package let purpose: String
  package let address: String
  package let approved: String

  enum CodingKeys: String, CodingKey {
    case id = "id"
    case purpose = "purpose"
    case address = "address"
    case approved = "approved_at"
  }

  package init(_ proven: ProvenAddress) {
    id = proven.id
    purpose = proven.purpose
    address = proven.address.description
    approved = proven.approved.text
  }
}
