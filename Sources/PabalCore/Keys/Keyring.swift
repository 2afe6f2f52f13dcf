internal import Crypto

/// The keys that protect the contents of a stolen database: for sealed content, codes, addresses and proofs.
///
/// All are derived from one master key outside the database. Previous master keys still open what they sealed.
public struct Keyring: ContentSealing, RedactedDescription {
  private let source: KeySource
  private var current: DerivedKeys { source.keys.current }
  private var previous: [DerivedKeys] { source.keys.previous }

  /// The size of the version of the master key, which precedes sealed content and digests, in bytes.
  private static let versionSize = 4
  private static let nonceSize = 12
  private static let tagSize = 16

  /// Creates a keyring that seals with `current`, and also opens what the `previous` keys sealed.
  public init(current: MasterKey, previous: [MasterKey] = []) {
    self.init(KeySource(KeySource.Keys(current: current, previous: previous)))
  }

  init(_ source: KeySource) { self.source = source }

  /// Reads the directory of the keys again, if they come from one. Blocks while it reads a few small files.
  ///
  /// A rotation by another process is noticed without it; the removal of a previous key isn't.
  public func reload() { source.reload() }

  /// `a keyring with`, and the number of previous keys.
  public var description: String { "a keyring with \(previous.count) previous keys" }

  // MARK: Sealing

  /// Returns `plaintext` sealed by ChaCha20-Poly1305 (RFC 8439), bound to the record `id`.
  ///
  /// The result is the version of the key (4 bytes), the nonce (12), the ciphertext and the tag (16).
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
      // Sealing fails only for keys or nonces of a wrong length.
      preconditionFailure("ChaCha20-Poly1305 failed")
    }
  }

  /// Returns what any of the keys sealed for the record `id`.
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

  /// Returns the 32-byte digest by which records refer to an address. Without the key, addresses can't be guessed.
  ///
  /// `normalized` is equal for everything that counts as the same address, client or bucket.
  package func addressDigest(_ normalized: String) -> [UInt8] {
    DerivedKeys.digest([Array(normalized.utf8)], current.address)
  }

  /// Returns the digests by all keys, the current one first, to find records written with earlier keys.
  package func addressDigests(_ normalized: String) -> [[UInt8]] {
    let keys = source.keys
    return ([keys.current] + keys.previous).map { DerivedKeys.digest([Array(normalized.utf8)], $0.address) }
  }

  // MARK: Requests

  /// Returns the digests of a request, its idempotency key and its payload by all keys, the current one first.
  func requestDigests(_ parts: [[UInt8]]) -> [[UInt8]] {
    let keys = source.keys
    return ([keys.current] + keys.previous).map { DerivedKeys.digest(parts, $0.request) }
  }

  // MARK: Codes and proofs

  /// Returns the stored form of a code: the version of the key and HMAC-SHA256 over the length-prefixed parts.
  package func codeDigest(_ parts: [[UInt8]]) -> [UInt8] {
    let current = current
    return current.version + DerivedKeys.digest(parts, current.code)
  }

  /// Whether `digest` was made of `parts`, in constant time.
  package func codeDigest(_ digest: [UInt8], matches parts: [[UInt8]]) -> Bool {
    matches(digest, parts) { $0.code }
  }

  /// Returns the stored form of a proof: the version of the key and HMAC-SHA256 over the length-prefixed parts.
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
    // The digest is computed even for an unknown version, so that both take the same time.
    let isEqual = DerivedKeys.isDigest(
      digest.dropFirst(Keyring.versionSize), of: parts, hmac(keys ?? current))
    return keys != nil && isEqual
  }

  private func keys(of value: [UInt8]) -> DerivedKeys? {
    let version = Array(value.prefix(Keyring.versionSize))
    // Reloads for an unknown version, because a previous key added by hand doesn't change the file of the current one.
    return source.keys.keys(of: version) ?? source.reload().keys(of: version)
  }

  /// The first bytes of everything that is sealed now, by which what an earlier key sealed is found.
  package var currentVersion: [UInt8] { current.version }

  // MARK: The key of a database

  /// The 32 bytes by which a database recognizes its master key. They reveal nothing about the key.
  public var checkValue: [UInt8] { current.check }

  /// The check values of the previous master keys. A database with one of these is switched to the current key.
  public var previousCheckValues: [[UInt8]] { previous.map(\.check) }
}

/// Why sealed content can't be opened.
public enum KeyringError: Error, Sendable, Hashable, CustomStringConvertible {
  /// It was sealed with a master key that is neither the current nor a previous one.
  case unknownKey
  /// It was modified, belongs to another record, or was not sealed by Pabal.
  case notAuthentic

  /// What is wrong; one sentence without its full stop.
  public var description: String {
    switch self {
    case .unknownKey: "sealed with a master key that is no longer configured"
    case .notAuthentic: "modified after it was sealed, or belongs to another record"
    }
  }
}
