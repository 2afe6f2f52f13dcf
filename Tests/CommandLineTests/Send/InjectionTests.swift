import Foundation
import PabalTesting
import Testing

/// Values that try to inject headers, recipients, commands or paths.
private let attacks = [
  "x\r\nBcc: evil@example.net", "x\nBcc: evil@example.net", "x\rBcc: evil@example.net",
  "x\r\n\r\n<script>", "x\r\n.\r\nMAIL FROM:<evil@example.net>\r\n", "x\u{2028}Bcc: evil@example.net",
  "\r\nX-Evil: 1", "x\u{B}Bcc: e", "x\u{1}y", String(repeating: "가", count: 20_000),
]

@Suite struct InjectionTests {
  let site: TestSite

  init() throws { site = try TestSite() }

  /// Expects that no mail has an injected header and that a failure is reported.
  private func expectHarmless(_ run: ChildProcess, _ field: String, _ attack: String) throws {
    #expect([0, 64, 65, 78].contains(run.status), "\(field): \(run.status) \(run.errors.prefix(300))")
    if run.status != 0 { #expect(!run.errors.isEmpty) }
    for name in site.mails {
      let bytes = Array(try Data(contentsOf: URL(filePath: "\(site.directory.path)/mail/\(name)")))
      let mail = try site.read(bytes)
      let headers = try #require(mail["headers"] as? [String]).map { $0.lowercased() }
      #expect(!headers.contains("bcc") && !headers.contains("x-evil"), "\(field)")
      #expect(!bytes.contains(0), "NUL in \(field)")
    }
    try? FileManager.default.removeItem(atPath: "\(site.directory.path)/mail")
  }

  @Test(arguments: attacks)
  func `no option of send becomes a header, a second mail or a path`(attack: String) throws {
    let mail = "a@example.org"
    let commands: [(String, [String])] = [
      ("address", ["send", attack]), ("address name", ["send", "\(attack) <a@example.org>"]),
      ("local part", ["send", "\(attack)@example.org"]), ("domain", ["send", "a@\(attack)"]),
      ("from", ["send", mail, "--from", "\(attack) <b@example.org>"]),
      ("from address", ["send", mail, "--from", attack]),
      ("subject", ["send", mail, "--subject", attack, "--text", "t"]),
      ("text", ["send", mail, "--subject", "s", "--text", attack]),
      ("html", ["send", mail, "--subject", "s", "--html", attack]),
      ("language", ["send", mail, "--language", attack]),
      ("own language", ["send", mail, "--language", attack, "--subject", "s", "--text", "t"]),
      ("variable", ["send", mail, "--set", "service=\(attack)"]),
      ("code", ["send", mail, "--set", "code=\(attack)"]),
      ("variable name", ["send", mail, "--set", "\(attack)=1"]),
      ("message", ["send", mail, "--message", attack]),
      ("transport", ["send", mail, "--transport", attack]),
      ("eml", ["send", "--eml", attack]), ("config", ["send", mail, "--config", attack]),
    ]
    for (field, arguments) in commands {
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal", arguments, directory: site.directory.path)
      try expectHarmless(run, field, attack)
    }
  }

  @Test(arguments: attacks)
  func `no value of config.json becomes a header or a path`(attack: String) throws {
    let json = String(decoding: try JSONEncoder().encode(attack), as: UTF8.self).dropFirst().dropLast()
    let configurations: [(String, String)] = [
      ("from", TestSite.shipped.replacing("파발 <", with: "\(json) <")),
      ("from address", TestSite.shipped.replacing("파발 <pabal@example.com>", with: json)),
      ("directory", TestSite.shipped.replacing(#""directory": "mail""#, with: #""directory": "\#(json)""#)),
      (
        "messages", TestSite.shipped.replacing(#""directory": "messages""#, with: #""directory": "\#(json)""#)
      ),
      ("language", TestSite.shipped.replacing(#""language": "ko""#, with: #""language": "\#(json)""#)),
      ("variable", TestSite.shipped.replacing(#""service": "Pabal""#, with: #""service": "\#(json)""#)),
      ("variable name", TestSite.shipped.replacing(#""service": "Pabal""#, with: #""\#(json)": "Pabal""#)),
      ("plugin", TestSite.shipped.replacing(#""plugin": "file""#, with: #""plugin": "\#(json)""#)),
      ("transport", TestSite.shipped.replacing(#""transport": "file""#, with: #""transport": "\#(json)""#)),
    ]
    for (field, configuration) in configurations {
      try site.directory.write(configuration, to: "config.json")
      try expectHarmless(try site.pabal("send", "a@example.org"), field, attack)
    }
  }

  @Test(arguments: [
    "../messages/verification", "verification/..", "/etc", "..", ".", "verification/ko.md", "",
  ])
  func `a message's name never leaves the messages directory`(name: String) throws {
    let run = try site.pabal("send", "a@example.org", "--message", name)
    #expect(run.status == 65)
    #expect(site.mails == [])
  }

  @Test(arguments: ["../../etc/passwd", "../ko", "ko/../en", "/etc/passwd", "..%2f"])
  func `a language never leaves the message's folder`(language: String) throws {
    let run = try site.pabal("send", "a@example.org", "--language", language)
    #expect([0, 65].contains(run.status))
    if run.status == 0 { #expect(try site.onlyMail().contains("Content-Language: ko")) }
  }

  @Test func `arguments that aren't UTF-8 don't crash the command`() throws {
    let script =
      "exec \"$0\" send \"$(printf 'a\\377@example.org')\" --set \"service=$(printf '\\376\\377')\""
    let run = try ChildProcess.run(
      "/bin/sh", ["-c", script, "\(BuiltProducts.directory)/pabal"], directory: site.directory.path)
    #expect([0, 64, 65].contains(run.status))
  }

  @Test func `a mail file with NUL, bare CR or broken header lines is rejected`() throws {
    for eml in [
      "", "\0", "no header", "From: a@x.org\0\n\nx", "To: a@x.org\n broken\rX: y\n\nx", "X\u{0}: y\n\n",
    ] {
      let run = try site.pabal("send", "a@example.org", "--eml", "-", input: Array(eml.utf8))
      #expect(run.status == 65, "\(eml.debugDescription): \(run.status)")
    }
    #expect(site.mails == [])
  }
}
