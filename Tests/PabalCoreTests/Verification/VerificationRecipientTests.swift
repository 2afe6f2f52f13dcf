import Testing

@testable import PabalCore

@Suite struct VerificationRecipientTests {
  @Test(arguments: [
    ("kim@example.com", "kim@example.com", "k***@example.com"),
    ("Kim@Example.COM", "kim@example.com", "K***@example.com"),
    ("Kim+news@example.com", "kim@example.com", "K***@example.com"),
    ("k+a+b@example.com", "k@example.com", "k***@example.com"),
    ("+a@example.com", "+a@example.com", "+***@example.com"),
    ("a.b.c@gmail.com", "abc@gmail.com", "a***@gmail.com"),
    ("A.B.C+x.y@GoogleMail.com", "abc@gmail.com", "A***@googlemail.com"),
    ("\"a..b\"@gmail.com", "ab@gmail.com", "\"***@gmail.com"),
    ("\"..\"@gmail.com", "..@gmail.com", "\"***@gmail.com"),
    ("a.b@mail.example.com", "a.b@mail.example.com", "a***@mail.example.com"),
    ("cafe\u{301}@example.com", "caf\u{E9}@example.com", "c***@example.com"),
    ("\u{1112}\u{1161}\u{11AB}@example.com", "\u{D55C}@example.com", "***@example.com"),
    ("kim@한국.kr", "kim@xn--3e0b707e.kr", "k***@xn--3e0b707e.kr"),
    ("kim@XN--3E0B707E.kr", "kim@xn--3e0b707e.kr", "k***@xn--3e0b707e.kr"),
    ("k@example.com", "k@example.com", "***@example.com"),
    ("\"a+b\"@example.com", "a@example.com", "\"***@example.com"),
    ("\"kim\"@example.com", "kim@example.com", "\"***@example.com"),
    ("\"k\\im\"@example.com", "kim@example.com", "\"***@example.com"),
    ("\"KIM+2\"@example.com", "kim@example.com", "\"***@example.com"),
    ("\"k\\\\im\"@example.com", "k\\im@example.com", "\"***@example.com"),
    ("kımẞ@example.com", "kimss@example.com", "k***@example.com"),
    ("김철수@example.com", "김철수@example.com", "김***@example.com"),
  ])
  func `limits count one mailbox for all spellings of its address, and logs mask it`(
    text: String, rateLimitIdentity: String, masked: String
  ) throws {
    let recipient = VerificationRecipient(address: try Address(text))
    #expect(Array(recipient.rateLimitIdentity.utf8) == Array(rateLimitIdentity.utf8))
    #expect(recipient.masked == masked)
    #expect(recipient.address.description == (try Address(text)).description)
  }

  @Test func `quoted forms of an address are one identity, and a tag is another`() throws {
    let spellings = ["Kim@example.com", "\"kim\"@example.com", "\"k\\im\"@example.com"]
    #expect(
      Set(try spellings.map { VerificationRecipient(address: try Address($0)).identity }) == [
        "kim@example.com"
      ])
    #expect(VerificationRecipient(address: try Address("kim+2@example.com")).identity == "kim+2@example.com")
  }

  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("64:ff9b::c000:201", "192.0.2.1"),
    ("2001:db8::1", "20:1:d:b8:0:0:0:0/64"), ("2001:db8:0:0:ffff::", "20:1:d:b8:0:0:0:0/64"),
    ("2001:db8:0:1::", "20:1:d:b8:0:0:0:1/64"), ("fe80::1%eth0", "fe:80:0:0:0:0:0:0/64"),
    ("::1", "0:0:0:0:0:0:0:0/64"),
  ])
  func `clients are distinguished by IPv4 address or IPv6 network`(text: String, bucket: String) {
    #expect(ClientAddress(text)?.bucket == bucket)
  }

  @Test(arguments: [
    "", "localhost", "192.0.2", "192.0.2.256", "1.2.3.4, 5.6.7.8", "192.0.2.1:80", "[::1]", "::g",
  ])
  func `other input isn't a client's address`(text: String) { #expect(ClientAddress(text) == nil) }

  @Test func `a stored request is decoded as it was encoded`() {
    let requests = [
      StoredVerificationRequest(message: "m", languages: [], variables: [:], isNotice: true),
      StoredVerificationRequest(
        message: "인증", languages: ["ko-KR", "en"], variables: ["name": "김", "empty": "", "": "x"],
        isNotice: false),
    ]
    for request in requests {
      #expect(StoredVerificationRequest(bytes: request.bytes) == request)
      for count in 0..<request.bytes.count {
        let cut = StoredVerificationRequest(bytes: Array(request.bytes.prefix(count)))
        #expect(cut != request)
      }
    }
    #expect(StoredVerificationRequest(bytes: [0xFF, 0xFF, 0xFF, 0xFF]) == nil)
  }
}
