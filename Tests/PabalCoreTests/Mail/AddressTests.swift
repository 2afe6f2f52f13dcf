import PabalCore
import Testing

@Suite struct AddressTests {
  @Test(arguments: [
    ("someone@example.com", "someone@example.com"),
    ("Some.One+tag@EXAMPLE.Com", "Some.One+tag@example.com"),
    ("a@b", "a@b"),
    ("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com"),
    (#""quoted\"@part"@example.com"#, #""quoted\"@part"@example.com"#),
    ("a@[192.0.2.1]", "a@[192.0.2.1]"),
    ("a@[IPV6:2001:DB8::1]", "a@[IPv6:2001:db8::1]"),
    ("a@한국.kr", "a@xn--3e0b707e.kr"),
    ("a@bücher.example", "a@xn--bcher-kva.example"),
    ("a@BÜCHER.example", "a@xn--bcher-kva.example"),
    ("a@bu\u{308}cher.example", "a@xn--bcher-kva.example"),
    // Non-transitional: ß is itself, not ss.
    ("a@faß.de", "a@xn--fa-hia.de"),
    ("a@메일。한국", "a@xn--h32bq4v.xn--3e0b707e"),
    ("a@xn--3e0b707e.kr", "a@xn--3e0b707e.kr"),
    // UTS 46 drops what nobody sees.
    ("a@한\u{200B}국.kr", "a@xn--3e0b707e.kr"),
    ("a@r3---sn-a.example", "a@r3---sn-a.example"),
    ("파발@example.com", "파발@example.com"),
    ("파발@한국.kr", "파발@xn--3e0b707e.kr"),
    (#""파발"@example.com"#, #""파발"@example.com"#),
  ])
  func `an address has an envelope form`(text: String, envelope: String) throws {
    let address = try Address(text)
    #expect(Array(address.description.utf8) == Array(envelope.utf8))
    #expect("\(address.localPart)@\(address.domain)" == envelope)
    #expect(address.needsSMTPUTF8 == address.localPart.utf8.contains { $0 > 127 })
    #expect(try Address(address.description) == address)
  }

  @Test(arguments: [
    "", "@", "a", "a@", "@b", "a@@b", "a@b@c", "a b@c", "a@b c", " a@b", "a@b ", "a@b\r\nRCPT TO:<c@d>",
    "a\n@b", "a@b\n",
    "a\0@b", "a@b\0", "a@b\0.한국", "a\t@b", "a\u{7F}@b", #""a b"@c"#, "\"a\r\nb\"@c", "\"a\\\nb\"@c", #""a@b"#,
    #"a"b@c"#,
    #""a"b@c"#, #""a""b"@c"#, #""@b"#, #""\"@b"#, ".a@b", "a.@b", "a..b@c", "a,b@c", "<a@b>", "a(b)@c",
    "a@b,c", "a@b;c",
    "a@b>", "a@<b", "a@.b", "a@b.", "a@b..c", "a@-b", "a@b-", "a@b-.c", "a@b_c", "a@b/c", "a@b:25",
    "a@[1.2.3]", "a@[1.2.3.256]",
    "a@[1.2.3.4", "a@1.2.3.4]", "a@[::1]", "a@[IPv6:::g]", "a@[IPv6:]", "a@[]", "a@[", "a@[IPv6:::1%eth0]",
    "a@[1.2.3.4]\r\n",
    "a@[1.2.3.4\0]", "a@[x:y]", "a\u{85}@b", "a\u{2028}b@c", "a\u{3000}b@c", "a\u{A0}@b", "a\u{200B}@b",
    "a\u{202E}@b",
    "a\u{FEFF}@b", "a@b\u{2028}c", "a@b\u{3000}c", "a@한국\u{202E}.kr", "a@한국＠b.kr", "a@℀.example",
    "a@\u{301}b.example",
    "a@❤.example", "파발",
  ])
  func `what is no address is refused`(text: String) {
    let problem = #expect(throws: AddressError.self) { try Address(text) }
    #expect(problem?.message.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control } == true)
    #expect(problem?.message.isEmpty == false)
  }

  @Test func `lengths are those of RFC 5321`() throws {
    let label = String(repeating: "d", count: 63)
    let local = String(repeating: "l", count: 64)
    #expect(throws: Never.self) { try Address("\(local)@example.com") }
    #expect(throws: AddressError.self) { try Address("l\(local)@example.com") }
    #expect(throws: Never.self) { try Address("a@\(label).example") }
    #expect(throws: AddressError.self) { try Address("a@\(label)d.example") }
    let domain = [label, label, String(repeating: "d", count: 61)].joined(separator: ".")
    #expect(try Address("\(local)@\(domain)").description.utf8.count == 254)
    #expect(throws: AddressError.self) { try Address("\(local)@\(domain)d") }
    #expect(throws: AddressError.self) {
      try Address("a@" + String(repeating: "d.", count: 1 << 20) + "d")
    }
    #expect(throws: AddressError.self) { try Address(String(repeating: "a", count: 1 << 20)) }
    #expect(throws: AddressError.self) { try Address("a@" + String(repeating: "한", count: 300)) }
    // 22 octets each in UTF-8, of which three are a character.
    #expect(throws: AddressError.self) { try Address(String(repeating: "파", count: 22) + "@b") }
  }

  @Test func `domains are equal in any case, local parts are not`() throws {
    #expect(try Address("a@EXAMPLE.com") == Address("a@example.COM"))
    #expect(try Address("A@example.com") != Address("a@example.com"))
    #expect(try Set([Address("a@한국.kr"), Address("a@XN--3E0B707E.kr")]).count == 1)
  }

  @Test func `an error shows what was written, escaped and shortened`() {
    let problem = #expect(throws: AddressError.self) { try Address("\u{1B}[31mred") }
    #expect(problem?.message == "'\\u{1B}[31mred' is no address: it has no @")
    let long = #expect(throws: AddressError.self) { try Address(String(repeating: "x", count: 1_000)) }
    #expect(long?.message == "'\(String(repeating: "x", count: 60))…' is no address: it has no @")
  }
}
