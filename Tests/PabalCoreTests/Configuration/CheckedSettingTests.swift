import PabalFormats
import Testing

@testable import PabalCore

@Suite struct CheckedSettingTests {
  private static let declared = [
    SettingDeclaration(key: "host", kind: .text, help: "The server's name.", required: true),
    SettingDeclaration(key: "port", kind: .number, help: "", defaultText: "465", range: 1...65535),
    SettingDeclaration(
      key: "tls", kind: .choice, help: "", defaultText: "implicit", choices: ["implicit", "starttls"]),
    SettingDeclaration(key: "verbose", kind: .boolean, help: "", defaultText: "false"),
    SettingDeclaration(key: "timeout", kind: .duration, help: "", defaultText: "30s", range: 100...3_600_000),
    SettingDeclaration(key: "directory", kind: .path, help: ""),
    SettingDeclaration(key: "account", kind: .account, help: ""),
    SettingDeclaration(key: "password", kind: .text, help: "", secret: true),
  ]

  private static func check(
    _ settings: String, declared: [SettingDeclaration] = declared, environment: [String: String] = [:]
  ) throws -> (settings: [CheckedSetting]?, errors: [String]) {
    let configuration = try Configuration.read(
      Array(
        """
        {"transport": "smtp", "from": "a@example.com",
        "accounts": {"google": {"provider": "token", "user": "a@example.com", "token": "t"}},
        "transports": {"smtp": {"plugin": "smtp"\(settings)}}}
        """.utf8), file: "config.json", directory: "/etc/pabal",
      secrets: SecretAccess(environment: { environment[$0] }))
    var diagnostics: [Diagnostic] = []
    let settings = configuration.settings(
      of: configuration.transports[0], declared: declared, diagnostics: &diagnostics)
    return (settings, diagnostics.map { String($0.description.dropFirst("config.json:".count)) })
  }

  @Test func `every kind of value arrives in its form`() throws {
    let (settings, errors) = try Self.check(
      """
      , "host": "smtp.example.com", "port": 587, "tls": "starttls", "verbose": true, "timeout": "2m",
      "directory": "mail", "account": "google", "password": "hunter2"
      """)
    #expect(errors == [])
    let checked = try #require(settings)
    #expect(checked.map(\.key) == Self.declared.map(\.key))
    #expect(checked.map(\.isSet) == Array(repeating: true, count: checked.count))
    let values = try checked.map { try $0.fetch() }
    #expect(
      values.map(\.text) == [
        "smtp.example.com", "587", "starttls", "true", "2m", "/etc/pabal/mail", "google", "hunter2",
      ])
    #expect(values.map(\.number) == [0, 587, 0, 1, 120_000, 0, 0, 0])
    #expect(checked.map(\.number) == values.map(\.number))
    #expect(checked.compactMap(\.account) == ["google"])
    #expect(checked.filter(\.isPlaintextSecret).map(\.key) == ["password"])
  }

  @Test func `a setting that isn't configured has its default, or no value`() throws {
    let (settings, errors) = try Self.check(#", "host": "h""#)
    #expect(errors == [])
    let checked = try #require(settings)
    #expect(checked.map(\.isSet) == [true, true, true, true, true, false, false, false])
    #expect(try checked.map { try $0.fetch().text } == ["h", "465", "implicit", "false", "30s", "", "", ""])
    #expect(checked.map(\.number) == [0, 465, 0, 0, 30_000, 0, 0, 0])
    #expect(checked.compactMap(\.account) == [])
  }

  @Test func `a secret is accepted wherever a string is, and validated when it is fetched`() throws {
    let (settings, errors) = try Self.check(
      """
      , "host": {"env": "H"}, "tls": {"env": "C"}, "timeout": {"env": "D"}, "directory": {"env": "P"},
      "password": {"env": "S"}
      """, environment: ["H": "h", "C": "starttls", "D": "5m", "P": "mail", "S": "s"])
    #expect(errors == [])
    let values = try #require(settings).map { try $0.fetch() }
    #expect(values.map(\.text) == ["h", "465", "starttls", "false", "5m", "/etc/pabal/mail", "", "s"])
    #expect(values.map(\.number) == [0, 465, 0, 0, 300_000, 0, 0, 0])

    let wrong = try Self.check(
      #", "host": "h", "tls": {"env": "C"}, "timeout": {"env": "D"}, "directory": {"env": "P"}"#,
      environment: ["C": "hunter2", "D": "10", "P": "~/x"])
    let problems = try #require(wrong.settings).compactMap { setting -> String? in
      do throws(Diagnostic) {
        _ = try setting.fetch()
        return nil
      } catch {
        return error.description
      }
    }
    #expect(
      problems == [
        "config.json:3:63: error: transports.smtp.tls: the value of {\"env\": 'C'}: not a valid choice; use one of 'implicit', 'starttls'",
        "config.json:3:88: error: transports.smtp.timeout: the value of {\"env\": 'D'}: not a duration; write it like \"500ms\", \"30s\", \"10m\" or \"1h\"",
        "config.json:3:115: error: transports.smtp.directory: the value of {\"env\": 'P'}: ~ is not expanded; write the path of your home directory, or a path relative to this file",
      ])
  }

  @Test func `all mistakes are reported at once`() throws {
    let (settings, errors) = try Self.check(
      #", "prot": 465, "port": "465", "tls": "startls", "account": "gogle", "timeout": 30, "verbose": "true""#
    )
    #expect(settings == nil)
    #expect(
      errors == [
        "3:24: error: transports.smtp: missing key 'host'; add a string: The server's name",
        "3:43: error: transports.smtp.prot: unknown key; did you mean 'port'?",
        "3:64: error: transports.smtp.port: expected a whole number, not a string; write it without quotes",
        "3:78: error: transports.smtp.tls: 'startls' is not a valid choice; did you mean 'starttls'?",
        "3:100: error: transports.smtp.account: unknown account 'gogle'; did you mean 'google'?",
        "3:120: error: transports.smtp.timeout: expected a duration in a string, not a number; write \"30s\"",
        "3:135: error: transports.smtp.verbose: expected true or false, not a string; write it without quotes",
      ])
  }

  @Test(arguments: [
    (#""port": 0"#, "port: 0 is out of range; use 1 to 65535"),
    (#""port": 65536"#, "port: 65536 is out of range; use 1 to 65535"),
    (#""port": -1"#, "port: -1 is out of range; use 1 to 65535"),
    (#""port": 1.5"#, "port: expected a whole number; write only digits, like 465"),
    (#""port": 465.0"#, "port: expected a whole number; write only digits, like 465"),
    (#""port": 1e3"#, "port: expected a whole number; write only digits, like 465"),
    (#""port": 1e400"#, "port: expected a whole number; write only digits, like 465"),
    (#""port": 9223372036854775808"#, "port: the number doesn't fit in 64 bits"),
    (#""port": "smtp""#, "port: expected a whole number, not a string"),
    (#""port": null"#, "port: expected a whole number, not null"),
    (#""port": {"env": "PORT"}"#, "port: expected a whole number, not an object"),
    (#""tls": "x""#, "tls: 'x' is not a valid choice; use one of 'implicit', 'starttls'"),
    (#""tls": true"#, "tls: expected one of 'implicit', 'starttls', not true or false"),
    (#""verbose": 1"#, "verbose: expected true or false, not a number; write true or false"),
    (#""verbose": "yes""#, "verbose: expected true or false, not a string; write true or false"),
    (
      #""timeout": "30""#,
      #"timeout: not a duration; write "30s""#
    ),
    (
      #""timeout": "1.5s""#,
      #"timeout: not a duration; write "1500ms""#
    ),
    (#""timeout": "99ms""#, "timeout: 99ms is out of range; use 100ms to 1h"),
    (#""timeout": "61m""#, "timeout: 61m is out of range; use 100ms to 1h"),
    (#""directory": """#, "directory: empty path"),
    (
      #""directory": "~/mail""#,
      "directory: ~ is not expanded; write the path of your home directory, or a path relative to this file"
    ),
    (#""directory": ["a"]"#, "directory: expected a path in a string, not a list"),
    (#""account": 5"#, "account: expected the name of an account, not a number"),
    (
      #""account": {"env": "A"}"#,
      "account: expected the name of an account, not an object; write the name of an entry of \"accounts\", which holds the secrets"
    ),
    (#""password": 12345"#, "password: expected a string, not a number; write it in double quotes"),
    (#""password": {"evn": "P"}"#, "password.evn: unknown key; did you mean 'env'?"),
    (
      #""password": "a\u0000b""#,
      "password: contains a line break or another control character; remove it"
    ),
    (
      #""password": "a\r\nb""#, "password: contains a line break or another control character; remove it"
    ),
    (
      #""directory": "a\nb""#, "directory: contains a line break or another control character; remove it"
    ),
    (#""hots": 1"#, "hots: unknown key; did you mean 'host'?"),
    (#""Port": 1"#, "Port: unknown key; did you mean 'port'?"),
  ])
  func `an invalid value is reported with its key, and never shown if it is secret`(
    settings: String, expected: String
  )
    throws
  {
    let (checked, errors) = try Self.check(#", "host": "h", "# + settings)
    #expect(checked == nil)
    #expect(
      errors.map { $0.split(separator: " ", maxSplits: 2).last.map(String.init) } == [
        "transports.smtp.\(expected)"
      ])
  }

  @Test func `a secret choice or number is never shown`() throws {
    let (_, errors) = try Self.check(
      #", "pin": 12345, "word": "hunter2""#,
      declared: [
        SettingDeclaration(key: "pin", kind: .number, help: "", range: 0...9, secret: true),
        SettingDeclaration(key: "word", kind: .choice, help: "", choices: ["a"], secret: true),
      ])
    #expect(errors.count == 2)
    #expect(!errors.joined().contains("12345") && !errors.joined().contains("hunter2"))
  }

  @Test func `a plugin without settings accepts none`() throws {
    let (settings, errors) = try Self.check(#", "host": "h""#, declared: [])
    #expect(settings == nil)
    #expect(errors == ["3:43: error: transports.smtp.host: unknown key; remove it"])
    #expect(try Self.check("", declared: []).settings?.isEmpty == true)
  }

  @Test func `a missing account is reported with the place to add it`() {
    var diagnostics: [Diagnostic] = []
    let node = JSONValue(
      .object([
        JSONValue.Member(
          key: "account", keyPosition: SourcePosition(line: 1, column: 2),
          value: JSONValue(.string("google"), at: SourcePosition(line: 1, column: 13)))
      ]), at: SourcePosition(line: 1, column: 1))
    let settings = checkedSettings(
      node, declared: [SettingDeclaration(key: "account", kind: .account, help: "")], path: "transports.smtp",
      accounts: [], file: nil, directory: "/", secrets: .process, diagnostics: &diagnostics)
    #expect(settings == nil)
    #expect(
      diagnostics.map(\.description) == [
        "error: transports.smtp.account: unknown account 'google'; add it to \"accounts\""
      ])
  }

  @Test(
    arguments: [
      ("0ms", 0), ("500ms", 500), ("30s", 30_000), ("10m", 600_000), ("1h", 3_600_000), ("007s", 7000),
      ("9223372036854775807ms", .max),
    ] as [(String, Int64)])
  func `a duration is a whole number and a unit`(text: String, milliseconds: Int64) {
    #expect(Duration.milliseconds(configured: text) == milliseconds)
  }

  @Test(arguments: [
    "", "s", "10", "10 s", " 10s", "10s ", "-1s", "+1s", "1.5s", "1h30m", "10S", "1d", "1w", "１０s", "1e3s",
    "9223372036854775808ms", "9223372036854775807s", "10초", "0x1s",
  ])
  func `other texts are not durations`(text: String) {
    #expect(Duration.milliseconds(configured: text) == nil)
  }

  @Test(arguments: [
    (0, "0ms"), (1, "1ms"), (999, "999ms"), (1000, "1s"), (1500, "1500ms"), (90_000, "90s"), (60_000, "1m"),
    (3_600_000, "1h"), (5_400_000, "90m"),
  ])
  func `a duration is formatted as it would be written`(milliseconds: Int, text: String) {
    #expect(Duration.milliseconds(milliseconds).configurationText == text)
    #expect(Duration(configured: text) == .milliseconds(milliseconds))
  }

  @Test func `only valid keys can be declared`() {
    for key in ["a", "host", "max_size2"] { #expect(SettingDeclaration.isValidKey(key)) }
    for key in ["", "plugin", "Host", "2a", "_a", "a-b", "a b", "가", "a\u{301}"] {
      #expect(!SettingDeclaration.isValidKey(key))
    }
  }

  @Test func `a default must be a valid value of its setting`() {
    func invalidReason(_ kind: SettingDeclaration.Kind, _ text: String?) -> String? {
      SettingDeclaration(
        key: "a", kind: kind, help: "", defaultText: text, choices: ["x"], range: kind == .text ? nil : 1...10
      ).invalidDefaultReason()
    }
    #expect(invalidReason(.number, nil) == nil)
    #expect(invalidReason(.text, "") == nil)
    #expect(invalidReason(.number, "5") == nil)
    #expect(invalidReason(.boolean, "true") == nil)
    #expect(invalidReason(.choice, "x") == nil)
    #expect(invalidReason(.duration, "5ms") == nil)
    #expect(invalidReason(.path, "mail") == nil)
    #expect(invalidReason(.number, "11") == "11 is out of range")
    #expect(invalidReason(.number, "five") == "expected a whole number")
    #expect(invalidReason(.boolean, "yes") == "expected true or false")
    #expect(invalidReason(.choice, "y") == "'y' is not a valid choice")
    #expect(invalidReason(.duration, "5") == "not a duration")
    #expect(invalidReason(.path, "~/a") == "~ is not expanded")
    #expect(invalidReason(.account, "google") == "an account can\'t have a default")
    #expect(invalidReason(.text, "a\nb") == "contains a line break or another control character")
  }
}
