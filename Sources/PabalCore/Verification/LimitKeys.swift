/// What the notes that limit are kept under: digests, so that no such note holds an address.
struct LimitKeys: Sendable {
  let keys: Keyring

  /// The mails to a recipient for a purpose: the cooldown and the recipient's caps.
  func recipient(_ recipient: Recipient, _ purpose: String) -> [[UInt8]] {
    digests("recipient", purpose, recipient.mailbox)
  }

  /// The wrong codes in a row for a recipient and purpose.
  func failures(_ recipient: Recipient, _ purpose: String) -> [[UInt8]] {
    digests("failures", purpose, recipient.mailbox)
  }

  /// The verifications of a recipient and purpose, of which one is live.
  func identity(_ recipient: Recipient, _ purpose: String) -> [[UInt8]] {
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
