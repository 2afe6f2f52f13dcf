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
    // Non-transitional processing keeps ß and doesn't map it to ss.
    ("a@faß.de", "a@xn--fa-hia.de"),
    ("a@메일。한국", "a@xn--h32bq4v.xn--3e0b707e"),
    ("a@xn--3e0b707e.kr", "a@xn--3e0b707e.kr"),
    // UTS 46 drops invisible characters.
    ("a@한\u{200B}국.kr", "a@xn--3e0b707e.kr"),
    ("a@r3---sn-a.example", "a@r3---sn-a.example"),
    ("파발@example.com", "파발@example.com"),
    ("파발@한국.kr", "파발@xn--3e0b707e.kr"),
    (#""파발"@example.com"#, #""파발"@example.com"#),
    // Every quoted string of RFC 5321, 4.1.2.
    (#""john doe"@example.com"#, #""john doe"@example.com"#), (#"" "@Example.com"#, #"" "@example.com"#),
    (#""a\ b\\c\"d"@example.com"#, #""a\ b\\c\"d"@example.com"#), (#"""@example.com"#, #"""@example.com"#),
    (#""<>()[],;:@.. !#"@example.com"#, #""<>()[],;:@.. !#"@example.com"#),
    (#""김 철수"@한국.kr"#, #""김 철수"@xn--3e0b707e.kr"#),
  ])
  func `an address is converted to its envelope form`(text: String, envelope: String) throws {
    let address = try Address(text)
    #expect(Array(address.description.utf8) == Array(envelope.utf8))
    #expect("\(address.localPart)@\(address.domain)" == envelope)
    #expect(address.needsSMTPUTF8 == address.localPart.utf8.contains { $0 > 127 })
    #expect(try Address(address.description) == address)
  }

  @Test(arguments: [
    "", "@", "a", "a@", "@b", "a@@b", "a@b@c", "a b@c", "a@b c", " a@b", "a@b ", "a@b\r\nRCPT TO:<c@d>",
    "a\n@b", "a@b\n",
    "a\0@b", "a@b\0", "a@b\0.한국", "a\t@b", "a\u{7F}@b", "\"a\tb\"@c", "\"a b\" @c", " \"a b\"@c",
    "\"a\\\tb\"@c", "\"a\u{A0}b\"@c", "\"a\r\nb\"@c", "\"a\\\nb\"@c", #""a@b"#,
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
  func `an invalid address is rejected`(text: String) {
    let problem = #expect(throws: AddressError.self) { try Address(text) }
    #expect(problem?.message.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control } == true)
    #expect(problem?.message.isEmpty == false)
  }

  @Test func `the length limits are those of RFC 5321`() throws {
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
    // 22 characters of three UTF-8 bytes each exceed 64 bytes.
    #expect(throws: AddressError.self) { try Address(String(repeating: "파", count: 22) + "@b") }
  }

  @Test func `domains are compared without case, local parts with case`() throws {
    #expect(try Address("a@EXAMPLE.com") == Address("a@example.COM"))
    #expect(try Address("A@example.com") != Address("a@example.com"))
    #expect(try Set([Address("a@한국.kr"), Address("a@XN--3E0B707E.kr")]).count == 1)
  }

  @Test func `an error shows the input escaped and shortened`() {
    let problem = #expect(throws: AddressError.self) { try Address("\u{1B}[31mred") }
    #expect(problem?.message == "'\\u{1B}[31mred' isn't an address: it has no @")
    let long = #expect(throws: AddressError.self) { try Address(String(repeating: "x", count: 1_000)) }
    #expect(long?.message == "'\(String(repeating: "x", count: 60))…' isn't an address: it has no @")
  }
}

@Suite struct MailboxTests {
  @Test(arguments: [
    ("Pabal <you@gmail.com>", "Pabal", "you@gmail.com"),
    (#""Kim, 'C' \"x\"" <a@b>"#, #"Kim, 'C' "x""#, "a@b"),
    ("a@b", nil, "a@b"),
    ("<a@b>", nil, "a@b"),
    ("  a@b  ", nil, "a@b"),
    ("\"\" <a@b>", nil, "a@b"),
    ("김철수 <a@b>", "김철수", "a@b"),
    ("=?utf-8?B?6rmA7LKg7IiY?= <a@b>", "김철수", "a@b"),
    ("=?UTF-8?q?Kim=2C_C?= <a@b>", "Kim, C", "a@b"),
    ("=?ISO-8859-1?Q?J=F6rg?= M. =?utf-8*de?q?M=C3=BCller?= <a@b>", "Jörg M. Müller", "a@b"),
    // The space between two encoded words is dropped, and a character may be split between two.
    ("=?utf-8?B?6rmA?= =?utf-8?B?7LKg7IiY?= <a@b>", "김철수", "a@b"),
    ("=?utf-8?B?6rk=?= =?utf-8?B?gA==?= <a@b>", "김", "a@b"),
    // Invalid encoded words and quoted text are kept as written.
    ("=?x-unknown?B?6rmA?= <a@b>", "=?x-unknown?B?6rmA?=", "a@b"),
    (#""=?utf-8?Q?x?=" <a@b>"#, "=?utf-8?Q?x?=", "a@b"),
    ("John Q. Public <a@b>", "John Q. Public", "a@b"),
    ("[Pabal] <a@b>", "[Pabal]", "a@b"),
    ("Pabal (the post) <a@b>", "Pabal", "a@b"),
    ("a@b <a@b>", nil, "a@b"),
    ("파발 <파발@한국.kr>", "파발", "파발@xn--3e0b707e.kr"),
  ])
  func `a mailbox is parsed`(text: String, name: String?, address: String) throws {
    let mailbox = try Mailbox(text)
    #expect(mailbox.name == name)
    #expect(mailbox.address.description == address)
    #expect(try Mailbox(mailbox.description) == mailbox)
  }

  @Test(arguments: [
    "", " ", "Pabal", "Pabal <>", "Pabal <a@b", "Pabal a@b>", "a@b, c@d", "Kim, C <a@b>", "group: a@b, c@d;",
    "group:;",
    "a@b <c@d>", "a@b c", "<a@b> c", "<a@b><c@d>", "x <a@b> <c@d>", "\"x <a@b>", "x\" <a@b>", "(x <a@b>",
    "a@b\r\nBcc: c@d",
    "x\n <a@b>", "x\0 <a@b>", "x\t<a@b>", "=?utf-8?B?DQpCY2M6IGFAYg==?= <a@b>", "=?utf-8?Q?=00?= <a@b>",
    "x <a b@c>", "a@b;", "x:y <a@b>",
  ])
  func `an invalid mailbox is rejected`(text: String) {
    let problem = #expect(throws: MailError.self) { try Mailbox(text) }
    #expect(
      problem?.description.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control } == true)
  }

  @Test(arguments: [
    "a\r\nBcc: x@y", "a\nb", "a\rb", "a\0b", "a\tb", "a\u{85}b", "a\u{2028}b", "a\u{7F}b",
    String(repeating: "가", count: 342),
  ])
  func `a name with a control character or excessive length is rejected`(name: String) throws {
    let address = try Address("a@b")
    #expect(throws: MailError.self) { try Mailbox(name: name, address: address) }
  }

  private static let names: [String] = {
    var generator = SeededGenerator(seed: 5322)
    var names = [
      "Pabal", "Kim, C", "'C' \"x\"", "back\\slash", "a (comment)", "<x@y>", "a@b", "x; y: z",
      "=?utf-8?B?YQ==?=", " lead", "trail ",
      "two  spaces", "김철수", "김, 철수", "[Pabal]", "John Q. Public", "👨‍👩‍👧‍👦 family",
      String(repeating: "long ", count: 30) + "name",
      String(repeating: "x", count: 200), String(repeating: "\"", count: 60), "Ünïcödé, Inc.", ".", "a.b",
      String(repeating: "김철수, ", count: 40) + "x",
      "undisclosed-recipients:;",
    ]
    for i in 0..<400 {
      names.append(generator.text(pieces: Int.random(in: 1...(i % 2 == 0 ? 6 : 20), using: &generator)))
    }
    // Longer names are rejected, and every parser reads a name of only spaces as no name.
    return names.filter { $0.utf8.count <= 1_024 && $0.contains { $0 != " " } }
  }()

  @Test func `a name survives a round trip through a header`() throws {
    for name in MailboxTests.names {
      let mailbox = try Mailbox(name: name, address: Address("someone@example.com"))
      let mail = try MailDraft(from: mailbox, to: [mailbox, mailbox], subject: "x", text: "x").finish(
        identity: .fixed)
      let read = try RawMail(mail.bytes)
      for (field, count) in [("from", 1), ("to", 2)] {
        let mailboxes = try read.header.mailboxes(of: field)
        #expect(
          mailboxes.map { Array(($0.name ?? "").utf8) } == Array(repeating: Array(name.utf8), count: count))
        #expect(mailboxes.allSatisfy { $0.address == mailbox.address })
      }
      for line in String(decoding: mail.bytes, as: UTF8.self).split(separator: "\r\n") {
        #expect(line.utf8.count <= 78)
        #expect(line.utf8.allSatisfy { $0 < 127 })
      }
    }
  }

  @Test(arguments: ExternalMailParser.allCases)
  func `other parsers read a name in a header unchanged`(reader: ExternalMailParser) async throws {
    let mails = try MailboxTests.names.map { name in
      let mailbox = try Mailbox(name: name, address: Address("someone@example.com"))
      return try MailDraft(
        from: Mailbox(Address("a@b")), to: [mailbox, Mailbox(Address("c@d"))], subject: "x", text: "x"
      )
      .finish(identity: .fixed).bytes
    }
    for (name, read) in zip(MailboxTests.names, try await reader.read(mails)) {
      #expect(read.to.map { $0[1] } == ["someone@example.com", "c@d"])
      if Array((read.to.first?.first ?? "").utf8) != Array(name.utf8) {
        Issue.record("\(name.debugDescription) reads \(read.to.debugDescription)")
      }
    }
  }
}
