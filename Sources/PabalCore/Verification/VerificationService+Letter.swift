extension VerificationService {
  /// A mail ready for the outbox, and what is kept of its code.
  struct PreparedMail: Sendable {
    var mail: Mail
    var entry: OutboxEntry
    var digest: [UInt8]
    var expires: Timestamp
    var language: String?
  }

  func preparedMail(
    _ request: StoredVerificationRequest, id: String, purpose: String, recipient: VerificationRecipient, generation: Int,
    at now: Timestamp
  ) throws(VerificationError) -> PreparedMail {
    let code = VerificationCode.random(digits: policy.digits, random)
    let composed = try composer.mail(
      for: VerificationMailRequest(
        to: recipient.address, message: request.message, languages: request.languages,
        variables: request.variables, code: request.isNotice ? nil : code, validFor: policy.lifetime))
    // A notice's code is one that nobody can type, so that it needs no mark in the store.
    let storedCode = request.isNotice ? RandomString.make(26, random) : code
    let digest = keys.codeDigest(
      VerificationService.codeDigestInput(
        of: storedCode, purpose: purpose, recipient: recipient, id: id, generation: generation))
    let expires = now + policy.lifetime
    let entry = OutboxEntry(
      id: composed.mail.id, lane: .code, created: now, notAfter: expires, unknown: composed.unknown, group: id,
      content: keys.seal(OutboxContent(composed.mail).octets, id: composed.mail.id))
    return PreparedMail(mail: composed.mail, entry: entry, digest: digest, expires: expires, language: composed.language)
  }

  /// What a code's digest is made of; each part has its length in front.
  static func codeDigestInput(
    of code: String, purpose: String, recipient: VerificationRecipient, id: String, generation: Int
  ) -> [[UInt8]] {
    [
      Array(purpose.utf8), Array(recipient.identity.utf8), Array(id.utf8), UInt64(generation).bigEndianOctets,
      Array(code.utf8),
    ]
  }
}
