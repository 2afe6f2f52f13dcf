import Foundation
import PabalCore
import Testing

@Suite struct AddressListTests {
  /// A header value and its mailboxes, each as `name <address>` or a bare address.
  struct Case: CustomTestStringConvertible {
    var value: String
    var mailboxes: [String]
    /// The result of Python's headerregistry, if it differs.
    var python: [String]?
    var testDescription: String { value }

    init(_ value: String, _ mailboxes: String..., python: [String]? = nil) {
      self.value = value
      self.mailboxes = mailboxes
      self.python = python
    }
  }

  static let cases = [
    Case("a@b.example", "a@b.example"),
    Case("A@B.Example", "A@b.example", python: ["A@B.Example"]),
    Case("a@b, c@d", "a@b", "c@d"),
    Case("Name <a@b>, <c@d>, e@f", "Name <a@b>", "c@d", "e@f"),
    Case("\"Kim, C\" <a@b>, \"x\\\"y\\\\z\" <c@d>", "Kim, C <a@b>", "x\"y\\z <c@d>"),
    Case("Name\r\n <a@b>,\r\n\tOther Name <c@d>", "Name <a@b>", "Other Name <c@d>"),
    Case("Name\n <a@b>,\n c@d", "Name <a@b>", "c@d"),
    Case("\"folded\r\n name\" <a@b>", "folded name <a@b>"),
    Case("a@b (comment)", "a@b"),
    Case("(c) Name (c (nested (deep)) \\) c) <(c)a(c)@(c)b(c)>(c)", "Name <a@b>"),
    Case("(a@x, b@y) c@d (e@f,)", "c@d"),
    Case("friends: a@b, Name <c@d>;", "a@b", "Name <c@d>"),
    Case("undisclosed-recipients:;"),
    Case("undisclosed-recipients:;, a@b", "a@b"),
    Case("x: a@b;, y: c@d, e@f;, g@h", "a@b", "c@d", "e@f", "g@h"),
    Case("\"quoted, group\": a@b;", "a@b"),
    Case("two words: (c) a@b , ;", "a@b"),
    Case("Weird \" quoted \" name <a@b>", "Weird  quoted  name <a@b>"),
    Case("<@relay.example,@other.example:a@b>", "a@b"),
    Case("a . b @ c . d", "a.b@c.d"),
    Case("John Q. Public <a@b>", "John Q. Public <a@b>"),
    Case("\"a.@b\"@c", "\"a.@b\"@c"),
    Case("\"a b\\\"c\"@d, <\"john doe\"@e>", "\"a b\\\"c\"@d", "\"john doe\"@e"),
    Case("Name <\"john\r\n doe\"@e>", "Name <\"john doe\"@e>"),
    Case("a@[192.0.2.1], b@[IPv6:2001:db8::1]", "a@[192.0.2.1]", "b@[IPv6:2001:db8::1]"),
    Case("=?utf-8?B?6rmA7LKg7IiY?= <a@b>", "김철수 <a@b>"),
    Case("=?UTF-8?Q?=EA=B9=80=2C_C?= <a@b>, =?utf-8?q?x?= y <c@d>", "김, C <a@b>", "x y <c@d>"),
    // Python 3.11 keeps the space between two encoded words.
    Case("=?utf-8?B?6rmA?= =?utf-8?B?7LKg7IiY?= <a@b>", "김철수 <a@b>", python: ["김 철수 <a@b>"]),
    Case("=?utf-8?B?6rmA?=\r\n =?utf-8?Q?_C?=\r\n <a@b>", "김 C <a@b>", python: ["김  C <a@b>"]),
    Case("김철수 <a@b>", "김철수 <a@b>"),
    Case("파발 <파발@example.com>", "파발 <파발@example.com>"),
    Case("a@한국.kr", "a@xn--3e0b707e.kr", python: ["a@한국.kr"]),
    Case(",, a@b,, c@d,", "a@b", "c@d"),
    Case("a@b,", "a@b"),
    Case("\ta@b ", "a@b"),
    Case(""),
    Case("  \r\n "),
    Case("a@b <a@b>", "a@b"),
    Case("[Team] Name <a@b>", "[Team] Name <a@b>", python: []),
    Case("o'neil!#$%&*+/=?^_`{|}~-@b", "o'neil!#$%&*+/=?^_`{|}~-@b"),
  ]

  static let refused = [
    "\"a b\\\"c@d", "'a@b'",
    "a", "a b", "Name", "Name a@b", "a@b c@d", "a@b; c@d", "<a@b", "a@b>", "Name <a@b> x", "<a@b> <c@d>",
    "<a@b><c@d>", "<>",
    "Name <>", "Name <a>", "<a@b, c@d>", "\"open <a@b>", "open\" <a@b>", "(open <a@b>", "open) <a@b>",
    "a@b (open", "a@b (open\\",
    "a@b \\", "group: a@b", "group: a@b; c@d", "group: a@b, other: c@d;;", ": a@b;", "a@b:c@d;", "a@b <c@d>",
    "a@", "@b", "a@b@c",
    "a@b..c", ".a@b", "a..b@c", "a@[1.2.3.4", "a@b.c d", "a b@c", "\"a\"b@c", "a@b, \"x\" y", "a@b\0",
    "Name\0 <a@b>", "\"x\0y\" <a@b>",
    "\"x\\\ry\" <a@b>", "=?utf-8?B?DQpCY2M6IHg=?= <a@b>", "a@-b", "a@b_c", "a\\b@c", "a@b, Kim, C <c@d>", ";",
    "a@b,;", "<@relay:>",
    "<@relay a@b>", "a@b <c@d", "Name <a@b>>", "Name <<a@b>>",
  ]

  private func read(_ value: String) throws -> [String] {
    try AddressList(Array(value.utf8), field: "to").mailboxes
      .map { mailbox in mailbox.name.map { "\($0) <\(mailbox.address)>" } ?? mailbox.address.description }
  }

  @Test(arguments: cases)
  func `an address list is parsed`(list: Case) throws {
    #expect(try read(list.value) == list.mailboxes)
  }

  @Test(arguments: refused)
  func `ambiguous and invalid lists are rejected`(value: String) {
    let problem = #expect(throws: MailError.self) { try AddressList(Array(value.utf8), field: "to") }
    #expect(problem?.field == "to" || problem?.field == "display name")
  }

  @Test func `Python parses the lists in the same way`() async throws {
    let script = """
      import sys, json, email.policy
      read = []
      for value in json.load(sys.stdin):
          try: addresses = email.policy.default.header_factory("to", value.replace("\\r\\n", "").replace("\\n", "")).addresses
          except Exception: addresses = []
          read.append([f"{a.display_name} <{a.addr_spec}>" if a.display_name else a.addr_spec for a in addresses if a.domain])
      json.dump(read, sys.stdout)
      """
    let input = try JSONEncoder().encode(AddressListTests.cases.map(\.value))
    let output = try await run("python3", ["-c", script], input: input)
    let read = try JSONDecoder().decode([[String]].self, from: output)
    try #require(read.count == AddressListTests.cases.count)
    for (list, python) in zip(AddressListTests.cases, read) {
      #expect(python == list.python ?? list.mailboxes, "\(list.value.debugDescription)")
    }
  }

  @Test(arguments: [
    ("kim", "'kim' isn't an address: it has no @"),
    ("a@b.example, kim", "'kim' isn't an address: it has no @"),
    ("Kim Lee", "a display name has no address in 'Kim Lee'"),
    ("\"kim\"", "a display name has no address in '\"kim\"'"),
  ])
  func `a word alone is an address without its domain, and several are a name`(value: String, message: String)
  {
    let error = #expect(throws: MailError.self) { try AddressList(Array(value.utf8), field: "to") }
    #expect(error?.message == message)
  }

  @Test func `invalid UTF-8 is repaired in a name and rejected in an address`() throws {
    let name = try AddressList([0xB1, 0xE8] + Array(" <a@b>".utf8), field: "to").mailboxes
    #expect(name.map(\.name) == ["\u{FFFD}\u{FFFD}"])
    #expect(throws: MailError.self) { try AddressList([0xB1] + Array("@b".utf8), field: "to") }
    #expect(throws: MailError.self) { try AddressList(Array("a@".utf8) + [0xB1], field: "to") }
  }

  @Test func `a list of ten thousand addresses and a comment of a million levels are parsed`() throws {
    let many = (0..<10_000).map { "Name \($0) <a\($0)@example.com>" }.joined(separator: ",\r\n ")
    #expect(try read(many).count == 10_000)
    let deep = String(repeating: "(", count: 1 << 20) + String(repeating: ")", count: 1 << 20) + "a@b"
    #expect(try read(deep) == ["a@b"])
  }
}
