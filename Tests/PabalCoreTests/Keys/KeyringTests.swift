import Crypto
import Testing

@testable import PabalCore

@Suite struct KeyringTests {
  static func key(_ byte: UInt8) -> MasterKey {
    guard let key = MasterKey(bytes: [UInt8](repeating: byte, count: 32)) else {
      preconditionFailure("32 bytes are a key")
    }
    return key
  }

  private func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = Array(hexadecimal).compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  @Test func `keys are derived as in RFC 5869`() {
    // Test case 1 of its appendix A.
    let first = DerivedKeys.derive(
      [UInt8](repeating: 0x0B, count: 22), salt: Array(0...0x0C), info: Array(0xF0...0xF9), count: 42)
    #expect(
      first.withUnsafeBytes(Array.init)
        == bytes("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"))
    // Test case 2: longer input and output.
    let second = DerivedKeys.derive(
      Array(0...0x4F), salt: Array(0x60...0xAF), info: Array(0xB0...0xFF), count: 82)
    #expect(
      second.withUnsafeBytes(Array.init)
        == bytes(
          "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ))
    // Test case 3: neither salt nor info.
    let third = DerivedKeys.derive([UInt8](repeating: 0x0B, count: 22), salt: [], info: [], count: 42)
    #expect(
      third.withUnsafeBytes(Array.init)
        == bytes("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"))
  }

  @Test func `each purpose has a key of its own`() {
    let keys = DerivedKeys(Self.key(1))
    let all =
      [keys.code, keys.address, keys.proof, keys.request].map { DerivedKeys.digest([], $0) }
      + [keys.sealingKey([]).withUnsafeBytes(Array.init)]
    #expect(Set(all + [keys.check]).count == 6)
    #expect(!all.contains { $0.starts(with: keys.version) } && !keys.check.starts(with: keys.version))
  }

  @Test func `digests and record keys are what RFC 2104 and RFC 5869 make of the derived keys`() {
    let keys = DerivedKeys(Self.key(1))
    func derived(_ purpose: String) -> SymmetricKey {
      DerivedKeys.derive(
        [UInt8](repeating: 1, count: 32), salt: Array("Pabal".utf8), info: Array("Pabal 1 \(purpose)".utf8),
        count: 32)
    }
    // Twice, because the first use must not change the shared state.
    for text in ["", "A", String(repeating: "x", count: 200)] {
      let id = Array(text.utf8)
      let expanded = HKDF<SHA256>.expand(pseudoRandomKey: derived("seal"), info: id, outputByteCount: 32)
      let digest = HMAC<SHA256>.authenticationCode(
        for: UInt64(id.count).bigEndianBytes + id, using: derived("code"))
      for _ in 0..<2 {
        #expect(keys.sealingKey(id) == expanded)
        #expect(DerivedKeys.digest([id], keys.code) == Array(digest))
        #expect(DerivedKeys.isDigest(Array(digest)[...], of: [id], keys.code))
        #expect(!DerivedKeys.isDigest(Array(digest)[...], of: [id], keys.address))
        #expect(!DerivedKeys.isDigest(Array(digest).dropLast(), of: [id], keys.code))
      }
    }
  }

  @Test func `sealed content opens only for its own record`() throws {
    let keys = Keyring(current: Self.key(1))
    let sealed = keys.seal(Array("인증번호 012345".utf8), id: "A")
    #expect(try keys.open(sealed, id: "A") == Array("인증번호 012345".utf8))
    #expect(throws: KeyringError.notAuthentic) { try keys.open(sealed, id: "B") }
    #expect(keys.seal([1, 2, 3], id: "A") != keys.seal([1, 2, 3], id: "A"))
    #expect(try keys.open(keys.seal([], id: ""), id: "") == [])
  }

  @Test func `sealed content with any byte changed, removed or added doesn't open`() {
    let keys = Keyring(current: Self.key(1))
    let sealed = keys.seal(Array("code".utf8), id: "A")
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 0x40
      let expected: KeyringError = index < 4 ? .unknownKey : .notAuthentic
      #expect(throws: expected) { try keys.open(changed, id: "A") }
    }
    for count in 0..<sealed.count {
      #expect(throws: KeyringError.notAuthentic) { try keys.open(Array(sealed.prefix(count)), id: "A") }
    }
    #expect(throws: KeyringError.notAuthentic) { try keys.open(sealed + [0], id: "A") }
  }

  @Test func `after a rotation, the previous key still opens content and checks codes`() throws {
    let before = Keyring(current: Self.key(1))
    let sealed = before.seal([1, 2, 3], id: "A")
    let code = before.codeDigest([[1], [2]])
    let proof = before.proofDigest([[1], [2]])
    let after = Keyring(current: Self.key(2), previous: [Self.key(1)])
    #expect(try after.open(sealed, id: "A") == [1, 2, 3])
    #expect(after.codeDigest(code, matches: [[1], [2]]))
    #expect(after.proofDigest(proof, matches: [[1], [2]]))
    #expect(after.addressDigests("a@b.c") == [after.addressDigest("a@b.c"), before.addressDigest("a@b.c")])
    #expect(after.previousCheckValues == [before.checkValue])
    #expect(after.checkValue != before.checkValue)
    #expect(after.seal([], id: "A").prefix(4) != sealed.prefix(4))

    let without = Keyring(current: Self.key(2))
    #expect(throws: KeyringError.unknownKey) { try without.open(sealed, id: "A") }
    #expect(!without.codeDigest(code, matches: [[1], [2]]))
    #expect(without.previousCheckValues.isEmpty)
  }

  @Test func `digests depend on every part, its boundaries, the purpose and the key`() {
    let keys = Keyring(current: Self.key(1))
    let digest = keys.codeDigest([Array("ab".utf8), Array("c".utf8)])
    #expect(keys.codeDigest(digest, matches: [Array("ab".utf8), Array("c".utf8)]))
    #expect(!keys.codeDigest(digest, matches: [Array("a".utf8), Array("bc".utf8)]))
    #expect(!keys.codeDigest(digest, matches: [Array("abc".utf8)]))
    #expect(!keys.codeDigest(digest, matches: [Array("ab".utf8), Array("c".utf8), []]))
    #expect(!keys.proofDigest(digest, matches: [Array("ab".utf8), Array("c".utf8)]))
    #expect(!Keyring(current: Self.key(2)).codeDigest(digest, matches: [Array("ab".utf8), Array("c".utf8)]))
    #expect(!keys.codeDigest([], matches: []))
    #expect(!keys.codeDigest(Array(digest.dropLast()), matches: [Array("ab".utf8), Array("c".utf8)]))
  }

  @Test func `duplicate keys count once`() {
    let keys = Keyring(current: Self.key(1), previous: [Self.key(1), Self.key(2), Self.key(2)])
    #expect(keys.addressDigests("a").count == 2)
  }

  @Test func `no description of a key contains its bytes`() {
    let key = Self.key(0xAB)
    let keys = Keyring(current: key)
    for text in ["\(key)", "\(keys)", String(reflecting: key), String(reflecting: keys)] {
      #expect(!text.contains("171") && !text.lowercased().contains("abab"))
    }
    #expect(Mirror(reflecting: key).children.isEmpty && Mirror(reflecting: keys).children.isEmpty)
  }

  @Test func `a key is parsed as openssl prints it`() {
    let bytes = Array(UInt8(0)..<32)
    let hexadecimal = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
    let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    #expect(MasterKey(hexadecimal)?.bytes == bytes)
    #expect(MasterKey(" \(hexadecimal.uppercased())\n")?.bytes == bytes)
    #expect(MasterKey(base64)?.bytes == bytes)
    #expect(MasterKey(String(base64.dropLast()))?.bytes == bytes)
    #expect(
      MasterKey("-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_8=")
        == MasterKey("+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/8="))
    #expect(MasterKey(bytes: bytes).flatMap { MasterKey($0.text) }?.bytes == bytes)
  }

  @Test(arguments: [
    "", "00", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", "correct horse battery staple",
    "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
  ])
  func `other texts are not keys`(text: String) { #expect(MasterKey(text) == nil) }
}
