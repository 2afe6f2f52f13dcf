import Testing

@testable import PabalMessages

@Suite struct EscapingTests {
  private static let hostileValue = "<b>&\"'</b> [x](http://evil) **y** `z` {{code}} <!-- "

  @Test func `a value is always plain text, wherever it is inserted`() throws {
    let mail = try MessageFixture("안녕 {{service}}!", subject: "{{service}}").render([
      "service": .text(EscapingTests.hostileValue)
    ])
    #expect(mail.subject == EscapingTests.hostileValue)
    #expect(mail.text == "안녕 \(EscapingTests.hostileValue)!\n")
    let escaped = "&lt;b&gt;&amp;&quot;&#39;&lt;/b&gt; [x](http://evil) **y** `z` {{code}} &lt;!-- "
    #expect(mail.html.contains("<p>안녕 \(escaped)!</p>"))
  }

  @Test(arguments: [
    "12*34", "a_b_c", "1 < 2 & 3 > 2", "`", "\\", "&amp;", "http://evil.example", "# x", "- x", "1. x",
  ])
  func `markup characters in a value are kept literally, even in code`(value: String) throws {
    let fixture = MessageFixture(
      "{{service}}\n\n`{{service}}`\n\n- `x {{service}}`\n\n```\n{{service}}\n```\n")
    let mail = try fixture.render(["service": .text(value)])
    #expect(mail.text == "\(value)\n\n    \(value)\n\n- x \(value)\n\n    \(value)\n")
    let escaped = value.map { ["&": "&amp;", "<": "&lt;", ">": "&gt;"][$0] ?? String($0) }.joined()
    #expect(mail.html.contains("<p>\(escaped)</p>\n<p class=\"code\">\(escaped)</p>\n<ul>\n".dropLast()))
    #expect(mail.html.contains("<code>x \(escaped)</code>"))
    #expect(mail.html.contains("<pre>\(escaped)\n</pre>"))
  }

  @Test func `a value can't break out of an attribute`() throws {
    let fixture = MessageFixture(
      "[말](https://example.com/ \"{{service}}\")\n\n![{{service}}](https://example.com/x.png)")
    let html = try fixture.html(["service": "\" onclick=\"alert(1)"])
    #expect(html.contains("title=\"&quot; onclick=&quot;alert(1)\""))
    #expect(html.contains("alt=\"&quot; onclick=&quot;alert(1)\""))
  }

  @Test func `a value in a part of a URL is percent-encoded`() throws {
    let fixture = MessageFixture("[말](https://example.com/?q={{service}}&x=1#{{service}})")
    let mail = try fixture.render(["service": "a&b=c#d/e?f 가\"'<"])
    let encoded = "a%26b%3Dc%23d%2Fe%3Ff%20%EA%B0%80%22%27%3C"
    #expect(mail.text == "말: https://example.com/?q=\(encoded)&x=1#\(encoded)\n")
    #expect(mail.html.contains("<a href=\"https://example.com/?q=\(encoded)&amp;x=1#\(encoded)\">말</a>"))
  }

  @Test func `a complete URL is kept as it is`() throws {
    let fixture = MessageFixture("[말]({{link}})", variables: [("link", "url", "https://example.com")])
    let mail = try fixture.render(["link": "https://example.com/가?a=1&b=%20'\""])
    #expect(mail.text == "말: https://example.com/%EA%B0%80?a=1&b=%20%27%22\n")
    #expect(mail.html.contains("href=\"https://example.com/%EA%B0%80?a=1&amp;b=%20%27%22\""))
    #expect(try fixture.render(["link": "mailto:help@example.com"]).text == "말: mailto:help@example.com\n")
  }

  @Test(arguments: [
    "javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "//evil.example", "/path", "",
    "https://",
    "https://a b", "ftp://x", "vbscript:x", " https://x",
  ])
  func `a URL with another scheme is rejected`(value: String) throws {
    let fixture = MessageFixture("[말]({{link}})", variables: [("link", "url", "https://example.com")])
    #expect(throws: MessageError.self) { try fixture.render(["link": .text(value)]) }
  }

  @Test(arguments: [
    #"https://shop.kr\@evil.example/x"#, #"https://shop.kr\.evil.example"#, #"https://shop.kr/\x"#,
    #"https:/\evil.example"#,
    #"https:\\evil.example"#, "https://shop.kr@evil.example", "https://shop.kr:443@evil.example/",
    "https://@evil.example",
    "https://a:b@evil.example?x", "https://shop.kr%40evil.example", "https://%65vil.example",
    "https://evil%2eexample",
    "https://shop.kr%2f@evil.example", "https:///evil.example", "https:////evil.example", "https://?x",
    "https://#x", "https://:80/",
    "https://shop.kr:/", "https://shop.kr:0", "https://shop.kr:65536", "https://shop.kr:80x",
    "https://shop.kr:-1",
    "https://shop.kr:80:80/", "https://shop.kr:\u{FF11}", "https:evil.example", "https:/evil.example",
    "HTTPS:evil.example",
    "java\nscript:alert(1)", "https://shop.kr\t.evil.example", "https://shop.kr/\r\nX: y",
    "https://shop.kr\u{0}.evil.example",
    "https://shop.kr\u{85}", "https://shop.kr/\u{200B}x", "https://shop\u{AD}.kr",
    "https://shop.kr\u{3000}.evil.example",
    "https://shop.kr/\u{A0}", "https://shop.kr/\u{2060}", "https://shop.kr／evil.example",
    "https://shop.kr⁄evil.example",
    "https://shop.kr℀evil.example", "https://shop.kr＠evil.example", "https://shop.kr？.evil.example",
    "https://.shop.kr", "https://shop..kr",
    "https://.", "https://[::1", "https://[::g]/", "https://::1/", "https://shop.kr;evil",
    "https://shop.kr<evil>", "https://❤.example",
    "\u{FEFF}https://shop.kr", "mailto:", #"mailto:a@b\c"#, "mailto:a@b\u{200B}",
    "data:text/html,https://shop.kr",
  ])
  func `a URL that programs read differently is rejected`(value: String) throws {
    let fixture = MessageFixture("[말]({{link}})", variables: [("link", "url", "https://example.com")])
    #expect(throws: MessageError.self) { try fixture.render(["link": .text(value)]) }
    let text = MessageFixture("x {{link}}", variables: [("link", "url", "https://example.com")])
    #expect(throws: MessageError.self) { try text.render(["link": .text(value)]) }
  }

  @Test(arguments: [
    (
      "https://example.com/@kim?x=a@b#@", "https://example.com/@kim?x=a@b#@",
      "https://example.com/@kim?x=a@b#@"
    ),
    ("HTTPS://Example.COM:8443/A", "https://example.com:8443/A", "https://example.com:8443/A"),
    ("http://[2001:DB8::1]:80/", "http://[2001:db8::1]:80/", "http://[2001:db8::1]:80/"),
    ("https://my_host.example./x", "https://my_host.example./x", "https://my_host.example./x"),
    ("https://한국.kr/길?a=가", "https://xn--3e0b707e.kr/%EA%B8%B8?a=%EA%B0%80", "https://한국.kr/길?a=가"),
    ("https://메일tv。한국", "https://xn--tv-vr0js84b.xn--3e0b707e", "https://메일tv.한국"),
    ("https://xn--3e0b707e.kr", "https://xn--3e0b707e.kr", "https://한국.kr"),
    ("https://bücher.example", "https://xn--bcher-kva.example", "https://bücher.example"),
    ("https://日本.example", "https://xn--wgv71a.example", "https://日本.example"),
    // Cyrillic, a mix of scripts, and a letter that looks like another stay A-labels.
    ("https://аррӏе.example", "https://xn--80ak6aa92e.example", "https://xn--80ak6aa92e.example"),
    ("https://pаypal.example", "https://xn--pypal-4ve.example", "https://xn--pypal-4ve.example"),
    ("https://paypaı.example", "https://xn--paypa-r4a.example", "https://xn--paypa-r4a.example"),
    ("https://shop.krノx.example", "https://shop.xn--krx-ln4b.example", "https://shop.xn--krx-ln4b.example"),
    (
      "mailto:help@example.com?subject=x", "mailto:help@example.com?subject=x",
      "mailto:help@example.com?subject=x"
    ),
  ])
  func `a link has its host as A-labels, and shows safe U-labels`(
    value: String, target: String, shown: String
  ) throws {
    let link = MessageFixture("[말]({{link}})", variables: [("link", "url", "https://example.com")])
    let mail = try link.render(["link": .text(value)])
    #expect(mail.text == "말: \(target)\n")
    #expect(mail.html.contains("<a href=\"\(target)\">말</a>"))
    let text = try MessageFixture("{{link}}", variables: [("link", "url", "https://example.com")])
      .render(["link": .text(value)])
    #expect(text.text == "\(shown)\n" && text.html.contains(shown))
  }

  @Test func `hand-written HTML escapes values according to their place`() throws {
    var fixture = MessageFixture(
      "{{service}} {{link}}", variables: [("service", "text", "파발"), ("link", "url", "https://example.com")])
    fixture.files["ko.html"] =
      "<p title='{{service}}'>{{service}} <a href=\"{{link}}\">x</a> <a href=\"https://a/?{{service}}\">y</a> < {{service}}</p>"
    let html = try fixture.html(["service": "\"<b>'&", "link": "https://example.com/?a&b"])
    #expect(
      html
        == "<p title=\"&quot;&lt;b&gt;&#39;&amp;\">&quot;&lt;b&gt;&#39;&amp; "
        + "<a href=\"https://example.com/?a&amp;b\">x</a> <a href=\"https://a/?%22%3Cb%3E%27%26\">y</a> "
        + "&lt; &quot;&lt;b&gt;&#39;&amp;</p>")
  }

  @Test func `hand-written text is used as it is`() throws {
    var fixture = MessageFixture("{{service}}")
    fixture.files["ko.txt"] = "**{{service}}**은(는) <b>"
    #expect(try fixture.render(["service": "<&>"]).text == "**<&>**은(는) <b>\n")
  }

  @Test(arguments: [
    "\r", "\n", "\r\nBcc: evil@example.com", "\0", "\u{1}", "\u{1B}[31m", "\t", "\u{7F}", "\u{85}", "\u{9B}",
    "\u{2028}", "\u{2029}", "\u{202E}", "\u{2066}", "\u{E000}", "\u{E001}", "\u{F8FF}",
  ])
  func `a control character is rejected in values of every kind`(character: String) throws {
    let kinds = [
      ("text", "파발"), ("code", "123456"), ("url", "https://example.com/"), ("duration", "10m"),
      ("time", "2026-01-02T15:24:00Z"),
    ]
    for (kind, example) in kinds {
      let fixture = MessageFixture("{{x}}", subject: "{{x}}", variables: [("x", kind, example)])
      #expect(throws: Never.self) { try fixture.render(["x": .text(example)]) }
      for value in [example + character, character + example, character] {
        #expect(throws: MessageError.self) { try fixture.render(["x": .text(value)]) }
      }
      if kind == "text" {
        #expect(throws: MessageError.self) {
          try fixture.render(["x": .text("x", reading: "y" + character)])
        }
      }
    }
  }

  @Test func `a value of more than 8192 bytes is rejected`() throws {
    let fixture = MessageFixture("{{service}}")
    #expect(throws: Never.self) {
      try fixture.render(["service": .text(String(repeating: "a", count: 8192))])
    }
    #expect(throws: MessageError.self) {
      try fixture.render(["service": .text(String(repeating: "a", count: 8193))])
    }
  }

  @Test func `an error never shows the value`() throws {
    let fixture = MessageFixture("`{{code}}`", variables: [("code", "code", "123456")])
    let error = #expect(throws: MessageError.self) { try fixture.render(["code": "secret-654321"]) }
    #expect(error?.description.contains("654321") == false)
  }

  @Test(arguments: ["12345a", "123 456", "123-456", "１２３４５６", "123", "1234567890123", ""])
  func `a code is 4 to 12 digits and nothing else`(value: String) throws {
    let fixture = MessageFixture("`{{code}}`", variables: [("code", "code", "123456")])
    #expect(throws: MessageError.self) { try fixture.render(["code": .text(value)]) }
  }
}
