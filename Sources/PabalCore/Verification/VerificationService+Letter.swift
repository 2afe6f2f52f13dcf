extension VerificationService {
  /// A mail ready for the outbox, and what is kept of its code.
  struct Letter: Sendable {
    var mail: Mail
    var entry: OutboxEntry
    var digest: [UInt8]
    var expires: Timestamp
    var language: String?
  }

  func letter(
    _ request: VerificationRequest, id: String, purpose: String, recipient: Recipient, generation: Int,
    at now: Timestamp
  ) throws(VerificationProblem) -> Letter {
    let code = VerificationCode.random(digits: policy.digits, random)
    let made = try words.mail(
      for: VerificationLetter(
        to: recipient.address, message: request.message, languages: request.languages,
        variables: request.variables, code: request.isNotice ? nil : code, validFor: policy.lifetime))
    // A notice's code is one that nobody can type, so that it needs no mark in the store.
    let kept = request.isNotice ? RandomName.make(26, random) : code
    let digest = keys.codeDigest(
      VerificationService.codeDigestInput(
        of: kept, purpose: purpose, recipient: recipient, id: id, generation: generation))
    let expires = now + policy.lifetime
    let entry = OutboxEntry(
      id: made.mail.id, lane: .code, created: now, notAfter: expires, unknown: made.unknown, group: id,
      content: keys.seal(OutboxContent(made.mail).octets, id: made.mail.id))
    return Letter(mail: made.mail, entry: entry, digest: digest, expires: expires, language: made.language)
  }

  /// What a code's digest is made of; each part has its length in front.
  static func codeDigestInput(
    of code: String, purpose: String, recipient: Recipient, id: String, generation: Int
  ) -> [[UInt8]] {
    [
      Array(purpose.utf8), Array(recipient.identity.utf8), Array(id.utf8), UInt64(generation).bigEndianOctets,
      Array(code.utf8),
    ]
  }
}
