import Foundation
import PabalFormats
import Testing

@Suite struct SecretRedactorTests {
  private static let token = "ya29.secret-token-abcdefghijklmnop"
  private static let password = "correct horse battery"

  private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

  /// As the SMTP plugin hides a login: the secret and what the SASL strings make of it.
  private static func login(_ secret: String, sasl: [String] = []) -> SecretRedactor {
    var redactor = SecretRedactor(replacement: "***")
    redactor.add(Array(secret.utf8), as: [.fragments, .base64])
    for string in sasl { redactor.add(Base64.encode(string.utf8Span.span), as: .fragments) }
    return redactor
  }

  /// As an account hides what it sends in a form.
  private static func form(_ secrets: String...) -> SecretRedactor {
    var redactor = SecretRedactor(replacement: "…")
    for secret in secrets { redactor.add(Array(secret.utf8), as: .percentEncoded) }
    return redactor
  }

  /// As the Gmail plugin hides its tokens.
  private static func tokens(_ tokens: String...) -> SecretRedactor {
    var redactor = SecretRedactor(replacement: "…")
    for token in tokens { redactor.add(Array(token.utf8)) }
    return redactor
  }

  @Test func `a short password is hidden in base64 only, and what isn't secret is not`() {
    let redactor = Self.login("tiger", sasl: ["\0bob\0tiger"])
    #expect(redactor.redact("535 no tiger here, bob") == "535 no tiger here, bob")
    #expect(redactor.redact("535 no dGlnZXI= here, AGJvYgB0aWdlcg==") == "535 no *** here, ***")
    #expect(redactor.redact("250 2.0.0 Ok: queued as 4Vx1") == "250 2.0.0 Ok: queued as 4Vx1")
    #expect(SecretRedactor(replacement: "***").redact("anything") == "anything")
    #expect(SecretRedactor(replacement: "***").isEmpty && !redactor.isEmpty)
  }

  @Test func `every part of eight bytes is hidden, in whatever Base64 it is`() {
    let sasl = [
      "user=alice@example.test\u{1}auth=Bearer \(Self.token)\u{1}\u{1}",
      "n,a=alice@example.test,\u{1}host=smtp.example.test\u{1}port=465\u{1}auth=Bearer \(Self.token)\u{1}\u{1}",
    ]
    let redactor = Self.login(Self.token, sasl: sasl)
    let innocent =
      "250 2.0.0 <4711@example.test> alice@example.test at smtp.example.test host=smtp.example.test auth=Bearer "
    #expect(redactor.redact(innocent) == innocent)
    for lead in ["", "x", "xy", "xyz", "wxyz"] {
      let encoded = Self.base64("\(lead)\(Self.token)tail")
      let hidden = redactor.redact("535 " + encoded)
      #expect(hidden.contains("***"))
      // Only digits that another byte decides too may stay.
      let kept = hidden.dropFirst(4).split(separator: "*").joined()
      #expect(kept.utf8.count <= encoded.utf8.count - Self.token.utf8.count * 8 / 6 + 2, "\(hidden)")
    }
    for secret in [Self.token, Self.base64(Self.token)] + sasl.map(Self.base64) {
      for start in 0...(secret.utf8.count - 8) {
        let part = secret.dropFirst(start).prefix(8)
        #expect(redactor.redact("451 <\(part)>") == "451 <***>")
        #expect(!redactor.redact("451 \(secret.dropFirst(start))").contains(part))
      }
      #expect(!redactor.redact(secret + secret).contains(secret.prefix(8)))
      #expect(redactor.redact("a \(secret) b") == "a *** b")
    }
  }

  @Test func `a secret of eight bytes and more is hidden by its parts alone`() {
    let redactor = Self.login(Self.password, sasl: ["\0alice@example.test\0\(Self.password)"])
    #expect(redactor.redact("correct horse") == "***")
    #expect(redactor.redact("correct") == "correct")
    #expect(redactor.redact("the horse batt is") == "the*** is")
    #expect(redactor.redact("the horse bat") == "the***")
    #expect(redactor.redact("e horse ba") == "e***")
    #expect(redactor.redact("e horse b") == "e***")
    #expect(redactor.redact(" horse ") == " horse ")
  }

  @Test(arguments: [
    "4/0Ab c~x*é", "4%2F0Ab%20c~x*%C3%A9", "4%2f0Ab+c%7Ex%2A%c3%a9", "4%252F0Ab%2520c~x*%25C3%25A9",
    "4/0Ab%20c~x*é", "%34%2F%30%41%62%20%63%7E%78%2A%C3%A9", "%2534%252F%2530Ab c~x*é",
  ])
  func `a secret is hidden however it is percent-encoded`(shown: String) {
    let redactor = Self.form("4/0Ab c~x*é", "", "abc")
    #expect(redactor.redact("no \(shown), 50% of abc") == "no …, 50% of abc")
    #expect(redactor.redact("4/0Ab") == "4/0Ab")
    #expect(redactor.redact(String(shown.dropLast())) == String(shown.dropLast()))
    #expect(
      redactor.redact("4%252") == "4%252" && redactor.redact("4%") == "4%"
        && redactor.redact("4%25") == "4%25")
  }

  @Test func `a percent sign in a secret is found encoded and bare`() {
    let redactor = Self.form("secret-a%b/c")
    for shown in ["a%b/c", "a%25b/c", "a%25b%2Fc", "a%b%252fc"] {
      #expect(redactor.redact("secret-\(shown)") == "…")
    }
    // A sign is not a digit.
    #expect(Self.form("secret-ab\u{5}cd").redact("secret-ab%+5cd") == "secret-ab%+5cd")
  }

  @Test func `tokens are hidden whole, the longer before its beginning`() {
    let redactor = Self.tokens("12345abc", "12345abcdef", "")
    #expect(redactor.redact("12345abcdef 12345abc 12345abcde") == "… … …de")
    #expect(Self.tokens("").isEmpty)
    #expect(redactor.redact("") == "")
    // By bytes: as characters the last letter would be another one.
    #expect(redactor.redact("12345abc\u{301}") == "…\u{301}")
    #expect(Self.tokens("\u{e9}t\u{e9}-\u{e9}").redact("l'\u{e9}t\u{e9}-\u{e9}!") == "l'…!")
  }

  @Test func `secrets that overlap leave nothing between them`() {
    #expect(Self.tokens("12abcdef", "abcdefgh").redact("12abcdefgh") == "…")
    #expect(Self.tokens("abcdeabcde").redact("abcdeabcdeabcdef") == "…f")
    #expect(Self.tokens("aaaaaaaa").redact("aaaaaaaaaaaa") == "…")
    #expect(Self.tokens("tokentok").redact("tokentoktokentok tokentok") == "… …")
  }

  @Test func `each form is hidden only if it is asked for`() {
    var bare = SecretRedactor(replacement: "***")
    bare.add(Array(Self.token.utf8))
    #expect(bare.redact("a \(Self.token) b") == "a *** b")
    #expect(bare.redact(String(Self.token.dropLast())) == String(Self.token.dropLast()))
    #expect(bare.redact(Self.base64(Self.token)) == Self.base64(Self.token))
    var all = SecretRedactor(replacement: "***")
    all.add(Array(Self.token.utf8), as: [.fragments, .base64, .percentEncoded])
    #expect(all.redact("\(Self.base64(Self.token))") == "***")
    let encoded = Self.token.utf8.map { "%" + String($0, radix: 16) }.joined()
    #expect(all.redact(encoded) == "***")
    #expect(all.redact(Self.base64(Self.token).replacing("=", with: "%3D")) == "***")
  }

  @Test func `a secret of less than eight bytes hides nothing, and one of eight is hidden`() {
    for length in 0..<20 {
      let secret = [UInt8](repeating: 0x61, count: length)
      let text = "a mail, and aaaaaaaaaaaaaaaaaaaaa letters"
      for forms in [[], .percentEncoded, .fragments, [.fragments, .percentEncoded]] as [SecretRedactor.Forms]
      {
        var redactor = SecretRedactor(replacement: "***")
        redactor.add(secret, as: forms)
        #expect(redactor.isEmpty == (length < 8))
        #expect((redactor.redact(text) == text) == (length < 8), "\(length)")
      }
    }
    var redactor = SecretRedactor(replacement: "***")
    redactor.add([], as: [.fragments, .base64, .percentEncoded])
    redactor.add(Array("abc".utf8), as: .base64)
    #expect(redactor.isEmpty)
    // Its base64 has eight digits.
    redactor.add(Array("abcd".utf8), as: .base64)
    #expect(redactor.redact("abcd YWJjZA== xYWJjZA==x") == "abcd *** x***x")
  }

  @Test func `any text is redacted without a trap, and no secret survives`() {
    let redactors = [
      Self.login(Self.token), Self.form("4/0Ab c~x*é", "%%%%%%%%"), Self.tokens("abababab", "babababa"),
      Self.login("tigertig"),
    ]
    var state: UInt64 = 7
    let pieces = [
      "4", "/", "0", "Ab", " ", "c~x*é", "%", "25", "2F", "%2", "ab", "ba", "tiger", "tig", "ya29.",
      "secret-token-",
      "abcdefghijklmnop", "\u{301}", "\0", "+", "eWEyOS5z", "ZWNyZXQt",
    ]
    for _ in 0..<5_000 {
      var text = ""
      for _ in 0..<12 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        text += pieces[Int(state >> 33) % pieces.count]
      }
      let redacted = redactors.map { $0.redact(text) }
      #expect(!redacted[0].contains("secret-token") && !redacted[1].contains("4/0Ab c~x*é"))
      #expect(!redacted[3].contains("tigertig"))
      #expect(!Array(redacted[2].utf8).contains(Array("abababab".utf8)))
    }
  }

  @Test func `a redactor prints no secret`() {
    var redactor = Self.login(Self.token, sasl: [Self.password])
    redactor.add(Array("short".utf8), as: .percentEncoded)
    var text = "\(redactor) \(String(reflecting: redactor))"
    dump(redactor, to: &text)
    let clue = Self.token.utf8.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    #expect(!text.contains("\(clue)") && !text.contains("115") && !text.contains("secret-token"))
  }
}
