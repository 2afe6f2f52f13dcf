/// What the notes that limit are kept under: digests, so that no such note holds an address.
struct RateLimitKeys: Sendable {
  let keys: Keyring

  /// The mails to a recipient for a purpose: the cooldown and the recipient's caps.
  func recipient(_ recipient: VerificationRecipient, _ purpose: String) -> [[UInt8]] {
    digests("recipient", purpose, recipient.rateLimitIdentity)
  }

  /// The wrong codes in a row for a recipient and purpose.
  func failures(_ recipient: VerificationRecipient, _ purpose: String) -> [[UInt8]] {
    digests("failures", purpose, recipient.rateLimitIdentity)
  }

  /// The verifications of a recipient and purpose, of which one is live.
  func identity(_ recipient: VerificationRecipient, _ purpose: String) -> [[UInt8]] {
    digests("verification", purpose, recipient.identity)
  }

  /// The starts and resends of a client.
  func starts(_ client: ClientAddress) -> [[UInt8]] { digests("starts", client.bucket) }
  /// The checks of a client.
  func checks(_ client: ClientAddress) -> [[UInt8]] { digests("checks", client.bucket) }
  /// All mails together.
  func overall() -> [[UInt8]] { digests("overall") }

  // No part can hold a NUL, so none runs into the next.
  private func digests(_ parts: String...) -> [[UInt8]] {
    keys.addressDigests(parts.joined(separator: "\0"))
  }
}
