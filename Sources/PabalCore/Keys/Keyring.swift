internal import Crypto

/// The keys that keep a stolen database silent: for sealing, for codes, for addresses and for proofs.
///
/// All come from one master key outside the database; previous master keys still open what they sealed.
public struct Keyring: ContentSealing, RedactedDescription {
  private let source: KeySource
  private var current: DerivedKeys { source.keys.current }
  private var previous: [DerivedKeys] { source.keys.previous }

  /// What tells one master key from another takes this many bytes in front of what it made.
  private static let versionSize = 4
  private static let nonceSize = 12
  private static let tagSize = 16

  /// Keys that come from `current`, and from `previous` ones what is still alive.
  public init(current: MasterKey, previous: [MasterKey] = []) {
    self.init(KeySource(KeySource.Keys(current: current, previous: previous)))
  }

  init(_ source: KeySource) { self.source = source }

  /// Reads the keys' folder again, where they come from one: a rotation elsewhere is noticed without it, a removed
  /// previous key is not. Blocks for as long as a few small files take.
  public func reload() { source.reload() }

  /// `a keyring`, with the number of previous keys.
  public var description: String { "a keyring with \(previous.count) previous keys" }

  // MARK: Sealing

  /// `plaintext`, sealed (ChaCha20-Poly1305, RFC 8439) so that only `id`'s own record opens it.
  ///
  /// Four bytes for the key's version, twelve of nonce, the text, sixteen of tag.
  public func seal(_ plaintext: [UInt8], id: String) -> [UInt8] {
    let id = Array(id.utf8)
    let current = current
    do {
      let box = try ChaChaPoly.seal(
        plaintext, using: current.sealingKey(id),
        nonce: ChaChaPoly.Nonce(data: SecureRandom.bytes(Keyring.nonceSize)),
        authenticating: current.version + id)
      var sealed = current.version
      sealed.reserveCapacity(Keyring.versionSize + Keyring.nonceSize + plaintext.count + Keyring.tagSize)
      sealed.append(contentsOf: box.nonce)
      sealed.append(contentsOf: box.ciphertext)
      sealed.append(contentsOf: box.tag)
      return sealed
    } catch {
      // It fails for keys and nonces of a wrong length alone, and ours have the right ones.
      preconditionFailure("ChaCha20-Poly1305 refused to seal")
    }
  }

  /// What was sealed for `id`, whichever of the keys did it.
  public func open(_ sealed: [UInt8], id: String) throws(KeyringError) -> [UInt8] {
    let headerSize = Keyring.versionSize + Keyring.nonceSize
    guard sealed.count >= headerSize + Keyring.tagSize else { throw .notAuthentic }
    guard let keys = keys(of: sealed) else { throw .unknownKey }
    let id = Array(id.utf8)
    do {
      let box = try ChaChaPoly.SealedBox(
        nonce: ChaChaPoly.Nonce(data: sealed[Keyring.versionSize..<headerSize]),
        ciphertext: sealed[headerSize..<(sealed.count - Keyring.tagSize)],
        tag: sealed[(sealed.count - Keyring.tagSize)...])
      return Array(try ChaChaPoly.open(box, using: keys.sealingKey(id), authenticating: keys.version + id))
    } catch {
      throw .notAuthentic
    }
  }

  // MARK: Addresses

  /// What stands for an address in records that outlive it, 32 bytes; without the key nobody can try addresses.
  ///
  /// `normalized` is whatever is to count as the same address, client or bucket.
  package func addressDigest(_ normalized: String) -> [UInt8] {
    DerivedKeys.digest([Array(normalized.utf8)], current.address)
  }

  /// The digests of all keys, the current one's first, for finding what earlier keys wrote.
  package func addressDigests(_ normalized: String) -> [[UInt8]] {
    let keys = source.keys
    return ([keys.current] + keys.previous).map { DerivedKeys.digest([Array(normalized.utf8)], $0.address) }
  }

  // MARK: Requests

  /// The digests of all keys over the length-prefixed parts, the current one's first: what stands for a request, its
  /// idempotency key and its payload.
  func requestDigests(_ parts: [[UInt8]]) -> [[UInt8]] {
    let keys = source.keys
    return ([keys.current] + keys.previous).map { DerivedKeys.digest(parts, $0.request) }
  }

  // MARK: Codes and proofs

  /// What is kept of a code: the key's version, then HMAC-SHA256 over the length-prefixed parts.
  package func codeDigest(_ parts: [[UInt8]]) -> [UInt8] {
    let current = current
    return current.version + DerivedKeys.digest(parts, current.code)
  }

  /// Whether `digest` was made of `parts`, in constant time.
  package func codeDigest(_ digest: [UInt8], matches parts: [[UInt8]]) -> Bool {
    matches(digest, parts) { $0.code }
  }

  /// What is kept of a proof: the key's version, then HMAC-SHA256 over the length-prefixed parts.
  package func proofDigest(_ parts: [[UInt8]]) -> [UInt8] {
    let current = current
    return current.version + DerivedKeys.digest(parts, current.proof)
  }

  /// Whether `digest` was made of `parts`, in constant time.
  package func proofDigest(_ digest: [UInt8], matches parts: [[UInt8]]) -> Bool {
    matches(digest, parts) { $0.proof }
  }

  private func matches(
    _ digest: [UInt8], _ parts: [[UInt8]], _ hmac: (DerivedKeys) -> HMAC<SHA256>
  ) -> Bool {
    let keys = keys(of: digest)
    // An unknown version takes as long as a known one.
    let isEqual = DerivedKeys.isDigest(
      digest.dropFirst(Keyring.versionSize), of: parts, hmac(keys ?? current))
    return keys != nil && isEqual
  }

  private func keys(of value: [UInt8]) -> DerivedKeys? {
    let version = Array(value.prefix(Keyring.versionSize))
    // A key put into the folder by hand doesn't touch the current one's file.
    return source.keys.keys(of: version) ?? source.reload().keys(of: version)
  }

  // MARK: The database's own key

  /// What a database keeps to know its master key again, 32 bytes that say nothing about it.
  public var checkValue: [UInt8] { current.check }

  /// The same of the previous master keys: a database that has one of these belongs to the current key from
  /// now on.
  public var previousCheckValues: [[UInt8]] { previous.map(\.check) }
}

/// Why something sealed can't be opened.
public enum KeyringError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It was sealed with a master key that isn't among the current and the previous ones.
  case unknownKey
  /// It was changed, belongs to another id, or was never sealed by Pabal.
  case notAuthentic

  /// What is wrong; one sentence without its full stop.
  public var description: String {
    switch self {
    case .unknownKey: "it was sealed with a master key that is no longer among those given"
    case .notAuthentic: "it was changed since it was sealed, or belongs to another record"
    }
  }
}
