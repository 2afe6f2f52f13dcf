/// The keyed digests by which mail in the outbox is found by its recipients, after its content is erased.
///
/// Without the key, addresses can't be guessed from them. All spellings of an address that reach the same mailbox have the
/// same digest, as in searches for verifications.
package enum RecipientDigest {
  /// Half of the digest of SHA-256: more would only take space.
  private static let size = 16

  /// Returns the digests of the recipients of a mail, without duplicates.
  package static func digests(of recipients: [Address], _ keys: Keyring) -> [[UInt8]] {
    var seen: Set<[UInt8]> = []
    return recipients.map { Array(keys.addressDigest(text($0)).prefix(size)) }.filter {
      seen.insert($0).inserted
    }
  }

  /// Returns the digests that a mail to this address may have: one for each key of the keyring.
  package static func searched(for address: Address, _ keys: Keyring) -> [[UInt8]] {
    keys.addressDigests(text(address)).map { Array($0.prefix(size)) }
  }

  // Distinct from other uses of the key; NUL can't occur in an address.
  private static func text(_ address: Address) -> String {
    "outbox\0\(address.mailboxIdentity)"
  }
}

extension Keyring {
  /// Returns the digests by which a mail is found by its recipients.
  public func digests(of recipients: [Address]) -> [[UInt8]] { RecipientDigest.digests(of: recipients, self) }
}

extension OutboxEntry {
  /// Returns the entry with the digests of its recipients, so that it is found by them.
  package func addressed(to recipients: [Address], _ keys: Keyring) -> OutboxEntry {
    var entry = self
    entry.recipientDigests = RecipientDigest.digests(of: recipients, keys)
    return entry
  }
}
