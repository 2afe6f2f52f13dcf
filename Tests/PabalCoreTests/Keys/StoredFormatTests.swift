import Crypto
import Testing

@testable import PabalCore

/// The formats of the bytes in existing databases, which must never change.
///
/// The expected values were computed by another implementation (Python's hmac and its cryptography package), from the
/// key of 32 bytes 0x01.
@Suite struct StoredFormatTests {
  private static let keys = KeyringTests.key(1)
  private let keyring = Keyring(current: StoredFormatTests.keys)
  private let derived = DerivedKeys(StoredFormatTests.keys)

  private func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  private func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = Array(hexadecimal).compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
  }

  @Test func `the keys derived from a master key`() {
    #expect(hexadecimal(derived.version) == "285f015f")
    #expect(
      hexadecimal(derived.check) == "463be4efd1fbf494177a91aa77bfbe54a6fefd55685d31dec960db951aaa9ba0")
    #expect(
      hexadecimal(DerivedKeys.digest([], derived.code))
        == "639e4824c98ebeb98e89d0411b5017ed3f53c64097156e58c1275133b183c053")
    #expect(
      hexadecimal(DerivedKeys.digest([], derived.address))
        == "985331f23af967403093854ad44d3c82263347a8097a136484b250d2737c3ad5")
    #expect(
      hexadecimal(DerivedKeys.digest([], derived.proof))
        == "736a03e675fba243ca09e8552a0a22a2ac2ace5476d2c0e83e4b638d69cefc4f")
    #expect(
      hexadecimal(DerivedKeys.digest([], derived.request))
        == "43bea1659875a194188063bcd34d5221b6414fa4fdf3987801bc4e2989f57cf6")
    #expect(
      hexadecimal(derived.sealingKey(Array("01ABC".utf8)).withUnsafeBytes(Array.init))
        == "86bb91e755293aa8b232c428c91ff1f65a03fba944563509b07f79e0ccbab925")
    #expect(hexadecimal(keyring.checkValue) == hexadecimal(derived.check))
  }

  @Test func `the keys of the rate limits`() throws {
    let limits = RateLimitKeys(keys: keyring)
    let recipient = VerificationRecipient(address: try Address("Kim+news@example.com"))
    let version4 = try #require(ClientAddress("192.0.2.1"))
    let version6 = try #require(ClientAddress("2001:db8::1"))
    let found = [
      limits.recipient(recipient, "sign-up"), limits.failures(recipient, "sign-up"),
      limits.identity(recipient, "sign-up"), limits.starts(version4), limits.starts(version6),
      limits.checks(version4), limits.overall(),
    ]
    #expect(
      found.map { $0.map(hexadecimal) } == [
        ["b07e3423a2f80a3c11fad1974647bce1e6ebcde5b713cd088c1fed15b4c1287e"],
        ["53600899cd1b7bbf4b87df0386fd2ee502aa976355c8adfc0dada1690e7246b8"],
        ["60b58355f0fb61ad8d8660c9c0ae04b3d0c7a54a9263df347193dcfd8c5ed3f5"],
        ["b526382743dd5a145372b610c24c44e704d618ddc7cf74fa0a707fe065471b10"],
        ["2a9c88829ce2af167a74d001e3cb4fb29f7a10e1e9efcf085b4d8e5f86528a4f"],
        ["97060cfe0832eabc12b3b8e1b29af895310d9e253b112d8073b37650f32452dd"],
        ["b16914c48c645ad44eb51f4b88eec914772f82cf7ef7b3cba9398bc0d5bf1670"],
      ])
  }

  @Test func `the digests of requests with an idempotency key`() throws {
    let key = try #require(
      IdempotencyKey("once-1", client: "shop", payload: Array(#"{"to":"kim@example.com"}"#.utf8)))
    let operations: [(IdempotentRequest.Operation, String, String)] = [
      (
        .start, "3615054510d212e63bf2853a32b60fbf12e3889d6597dbc0959a70a6150c3675",
        "19da7f346dfcf8a32473050d5ef09cc392fc5b4728d65ca7ace843b46a972847"
      ),
      (
        .resend, "7fcb59315ec6d5ab14571e15f70fd941a6b62ccfcc6a09bd24424f52a323236d",
        "36d8f18618f8324cc00d296da238d75f93f3e99733d03fec340c908a4e650157"
      ),
      (
        .mail, "cbdc840f40b602e45805beee5bf65644701fe95dd64bea2492dfe69d9f83ba20",
        "98b1c297eaf84797e8ed021ae8e32a7e7adc868ca815db08beb545317f53e369"
      ),
    ]
    for (operation, name, payload) in operations {
      let request = IdempotentRequest(key, operation, of: "01SUBJECT", keys: keyring)
      #expect(request.digests.map { hexadecimal($0.key) } == [name])
      #expect(request.digests.map { hexadecimal($0.payload) } == [payload])
    }
    #expect(IdempotencyKey.lifetime == .seconds(86_400))
  }

  @Test func `the digests of codes and proofs`() throws {
    let id = "QR7K0000000000000000000001"
    let parts = VerificationService.codeDigestInput(
      of: "012345", purpose: "sign-up",
      recipient: VerificationRecipient(address: try Address("Kim+news@example.com")),
      id: id, generation: 2)
    let code = "285f015f26131d1a58df480439c69f405fc36cd199070bc9b5c9de7f9617fb5cbac08371"
    #expect(hexadecimal(keyring.codeDigest(parts)) == code)
    #expect(keyring.codeDigest(bytes(code), matches: parts))

    let secret = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    let proof = "285f015f0516bb80fed47dd98e522a6de3ef77a56a9292cbfea094f55ef4c426cdc0461d"
    #expect(hexadecimal(keyring.proofDigest([Array(id.utf8), Array(secret.utf8)])) == proof)
    #expect(keyring.proofDigest(bytes(proof), matches: [Array(id.utf8), Array(secret.utf8)]))
  }

  @Test func `the sealed form of a mail`() throws {
    let id = "01ABCDEFGHJKMNPQRSTVWXYZ01"
    let content =
      "01030000000f3c6d406578616d706c652e636f6d3e0000000d61406578616d706c652e636f6d000000040000000d62406578616d706c652e636f6d00000000000000000000000d63406578616d706c652e636f6d0000000473656e740000000c32353020322e302e30206f6b0000000d64406578616d706c652e636f6d0000000872656a65637465640000000c35353020352e312e31206e6f0000000d65406578616d706c652e636f6d00000007756e6b6e6f776e0000000046726f6d3a2061406578616d706c652e636f6d0d0a546f3a2062406578616d706c652e636f6d0d0a0d0a48656c6c6f0d0a"
    let sealed =
      "285f015f000102030405060708090a0b665822faaa553ff9174ff8e87e62384c0c5235f7c3c4f22c42b0c49da4c7979a41b988b8ef5d9bb4365f24455e7574968e4f885b2ecc11af534040bf0d15b61b06afa6ed4ce7dc1124f1e75c5b34e9440f7436b75f18dd906574313497767f62506e1b4e09497373c061c868b11a7353266417bb2873edbe6946ba0144965ffdc4bd8221e0884bb2949a511908916a003e3eea923d1ef85900e7c20eda7f9cbfad2bf661e24cd1d1547b931d428a84e01a36dfc2aae6d5795831c94263dee58ab1c06be65dd4007e646e159d1f06187941f837a2793398648201a17300356c4c13d4675491d8317ede34052c98b61845c1d4da4a753334e50710"
    let opened = try keyring.open(bytes(sealed), id: id)
    #expect(hexadecimal(opened) == content)
    let read = try OutboxContent(opened, id: id)
    #expect(read.mail.messageID == "<m@example.com>")
    #expect(read.mail.envelope.sender?.description == "a@example.com")
    #expect(read.mail.needsSMTPUTF8 && read.mail.needs8BitMIME)
    #expect(
      read.mail.bytes == Array("From: a@example.com\r\nTo: b@example.com\r\n\r\nHello\r\n".utf8))
    #expect(
      read.recipients.map { $0.address.description } == [
        "b@example.com", "c@example.com", "d@example.com", "e@example.com",
      ])
    #expect(read.recipients.map { $0.outcome } == [nil, .sent, .rejected, .unknown])
    #expect(read.recipients.map { $0.reply } == [nil, "250 2.0.0 ok", "550 5.1.1 no", nil])
    #expect(hexadecimal(read.bytes) == content)
  }

  @Test func `the sealed form of the reason why a transport is held`() throws {
    let sealed =
      "285f015f000102030405060708090a0b268d5f72395a58da7612811769e23393246a6a0bd0e274eda11c51e021ad586d"
    #expect(TransportState.sealID("smtp") == "transport smtp")
    #expect(
      try keyring.open(bytes(sealed), id: TransportState.sealID("smtp")) == Array("535 5.7.8 거절".utf8))
  }

  @Test func `the sealed form of the request that a resend uses`() throws {
    let request = StoredVerificationRequest(
      message: "sign-in-alert", languages: ["ko", "en"], variables: ["place": "서울", "device": "Firefox"],
      isNotice: true)
    let content =
      "000000016e0000000d7369676e2d696e2d616c6572740000000132000000026b6f00000002656e000000066465766963650000000746697265666f7800000005706c61636500000006ec849cec9ab8"
    #expect(hexadecimal(request.bytes) == content)
    #expect(StoredVerificationRequest(bytes: bytes(content)) == request)
    let code = StoredVerificationRequest(
      message: "verification", languages: [], variables: [:], isNotice: false)
    #expect(
      hexadecimal(code.bytes) == "00000001630000000c766572696669636174696f6e0000000130")
  }
}
