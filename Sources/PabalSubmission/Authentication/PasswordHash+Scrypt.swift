internal import CryptoExtras
package import PabalCore

extension PasswordHash {
  /// Returns the hash of a new password under a random salt.
  package static func make(_ password: [UInt8]) -> PasswordHash {
    let hash = PasswordHash(salt: randomSalt(), hash: [])
    guard let derived = hash.derive(password, count: 32) else {
      preconditionFailure("scrypt fails only for parameters that are out of range")
    }
    return PasswordHash(salt: hash.salt, hash: derived)
  }

  /// Returns what `password` has as its hash with these parameters and this salt; `nil` if there isn't enough memory.
  /// Takes tens of milliseconds and 128 · N · r bytes.
  package func derive(_ password: [UInt8], count: Int? = nil) -> [UInt8]? {
    let key = try? KDF.Scrypt.deriveKey(
      from: password, salt: salt, outputByteCount: count ?? hash.count, rounds: 1 << logCost,
      blockSize: blockSize,
      parallelism: parallelism)
    return key.map { $0.withUnsafeBytes(Array.init) }
  }
}
