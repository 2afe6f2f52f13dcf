import Foundation
import PabalFormats
import Testing

@Suite struct Base64Tests {
  private static func decode(_ text: String, _ options: Base64.DecodingOptions) throws(Base64Error) -> [UInt8]
  {
    try Base64.decode(text.utf8Span.span, options)
  }

  /// The options with which access tokens and servers' challenges are read.
  private static let token = Base64.DecodingOptions(
    digits: .either, padding: .ignored, dropsTrailingBits: true)
  /// The options with which keys are read.
  private static let key = Base64.DecodingOptions(digits: .either, padding: .optional)

  // RFC 4648, section 10.
  @Test(arguments: [
    ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
    ("foobar", "Zm9vYmFy"),
  ])
  func `the vectors of RFC 4648 are encoded and decoded`(text: String, encoded: String) throws {
    #expect(Base64.string(text.utf8Span.span) == encoded)
    #expect(try Self.decode(encoded, .strict) == Array(text.utf8))
    let bare = String(encoded.prefix { $0 != "=" })
    #expect(Base64.string(text.utf8Span.span, isPadded: false) == bare)
    #expect(try Self.decode(bare, .mime) == Array(text.utf8))
    #expect(Base64.encodedCount(of: text.utf8.count) == encoded.utf8.count)
  }

  @Test func `the alphabets differ in two digits`() throws {
    let bytes: [UInt8] = [0xFB, 0xEF, 0xBE, 0xFF]
    #expect(Base64.string(bytes.span) == "++++/w==")
    #expect(Base64.string(bytes.span, alphabet: .urlSafe) == "----_w==")
    #expect(Base64.string(bytes.span, alphabet: .urlSafe, isPadded: false) == "----_w")
    #expect(try Self.decode("++++/w==", .strict) == bytes)
    #expect(try Self.decode("----_w==", .init(digits: .urlSafe)) == bytes)
    #expect(try Self.decode("+-+-_w==", .init(digits: .either)) == bytes)
    #expect(throws: Base64Error.invalidCharacter(offset: 0)) { try Self.decode("----_w==", .strict) }
    #expect(throws: Base64Error.invalidCharacter(offset: 3)) {
      try Self.decode("---+_w==", .init(digits: .urlSafe))
    }
  }

  @Test func `every length is what Foundation writes, and comes back`() throws {
    for length in 0..<240 {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 251) }
      let expected = Data(bytes).base64EncodedString()
      #expect(Base64.string(bytes.span) == expected)
      #expect(try Self.decode(expected, .strict) == bytes)
      #expect(try Self.decode(expected, Self.token) == bytes)
      let url = Base64.string(bytes.span, alphabet: .urlSafe, isPadded: false)
      #expect(
        url == expected.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: ""))
      #expect(try Self.decode(url, Self.token) == bytes)
      #expect(try Self.decode(url, Self.key) == bytes)
    }
  }

  @Test func `lines have 76 characters and end with CRLF`() throws {
    for length in [0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 171, 1_000] {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 101 &+ 7) }
      var lines = Array("before".utf8)
      Base64.append(lines: bytes.span, to: &lines)
      let expected = Data(bytes).base64EncodedString(options: [.lineLength76Characters])
      #expect(String(decoding: lines, as: UTF8.self) == "before" + expected + (length > 0 ? "\r\n" : ""))
      #expect(lines.count - 6 == Base64.encodedCount(inLines: length))
      let body = Array(lines[6...])
      #expect(try Base64.decode(body.span, .mime) == bytes)
    }
  }

  @Test(
    arguments: [
      ("Zg", .invalidPadding(offset: 2)), ("Zg=", .invalidPadding(offset: 2)),
      ("Zg===", .invalidPadding(offset: 2)), ("Zm9v=", .invalidPadding(offset: 4)),
      ("Zm9v====", .invalidPadding(offset: 4)), ("====", .invalidPadding(offset: 0)),
      ("=", .invalidPadding(offset: 0)), ("Z===", .invalidPadding(offset: 1)),
      ("Zg==Zg==", .invalidPadding(offset: 4)), ("Z=g=", .invalidPadding(offset: 2)),
      ("Zh==", .trailingBits), ("Zm9=", .trailingBits), ("Zm9v\r\n", .invalidCharacter(offset: 4)),
      ("Zm 9v", .invalidCharacter(offset: 2)), ("Zm9v!", .invalidCharacter(offset: 4)),
      ("Zm\u{e9}v", .invalidCharacter(offset: 2)), ("\0", .invalidCharacter(offset: 0)),
    ] as [(String, Base64Error)])
  func `what is not strictly Base64 is refused`(text: String, error: Base64Error) {
    #expect(throws: error) { try Self.decode(text, .strict) }
  }

  @Test(
    arguments: [
      ("6rCA\r\n", "가"), (" 6 r\tC\nA", "가"), ("Zm8", "fo"), ("Zm9", "fo"), ("Zm8==", "fo"),
      ("Zm8=\r\n=", "fo"),
      ("Z", ""), ("====", ""), ("Zm8=Zm8=", nil), ("Zm8-", nil), ("Zm8.", nil),
    ] as [(String, String?)])
  func `mail's Base64 is read as it is found`(text: String, expected: String?) {
    let bytes = try? Self.decode(text, .mime)
    #expect(bytes.map { String(decoding: $0, as: UTF8.self) } == expected)
  }

  @Test func `a token's padding may be anywhere, a key's only where it belongs`() {
    #expect((try? Self.decode("Zm=9v", Self.token)) == Array("foo".utf8))
    #expect((try? Self.decode("Zm 9v", Self.token)) == nil)
    // 32 bytes as 43 digits, whose last two bits must be zero.
    let digits = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    for good in [digits, digits + "="] { #expect((try? Self.decode(good, Self.key))?.count == 32) }
    for bad in [
      digits + "==", digits.dropLast() + "9=", digits.dropLast() + "9", "=" + digits, digits.dropLast() + "=",
    ] {
      #expect((try? Self.decode(bad, Self.key)) == nil, "\(bad)")
    }
    #expect((try? Self.decode("-_-_-_-_", Self.key)) == (try? Self.decode("+/+/+/+/", Self.key)))
  }

  @Test func `any bytes are decoded or refused, under every option`() throws {
    let alphabet: [UInt8] = Array("AZaz09+/-_= \r\n\t!\u{80}".utf8) + [0, 255]
    var state: UInt64 = 1
    for _ in 0..<20_000 {
      let text = (0..<Int(state >> 60)).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return alphabet[Int(state >> 33) % alphabet.count]
      }
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      for options in [Base64.DecodingOptions.strict, .mime, Self.token, Self.key] {
        guard let bytes = try? Base64.decode(text.span, options) else { continue }
        #expect(bytes.count <= text.count * 3 / 4)
        // What the strict reader takes is the one way to write it.
        if options == .strict { #expect(Base64.encode(bytes.span) == text) }
      }
    }
  }
}
