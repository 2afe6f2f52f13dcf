import Testing

@testable import PabalCore

@Suite struct ConfigurationTests {
  static let complete = """
    {
      "$schema": "./config.schema.json",
      "transport": ["gmail", "smtp"],
      "transports": {
        "gmail": { "plugin": "gmail", "account": "google" },
        "smtp":  { "plugin": "smtp", "host": "smtp.gmail.com", "port": 465, "account": "google" },
        "mine":  { "plugin": "lib/libpabal-mine.so", "list": [1, {"a": null}] }
      },
      "accounts": { "google": { "provider": "token", "user": "you@gmail.com", "token": {"env": "TOKEN"} } },
      "from": "Pabal <you@gmail.com>",
      "messages": { "directory": "Sources/Messages", "language": "ko", "variables": { "service": "Pabal" } },
      "plugins": { "directories": ["plugins", "/opt/pabal"] }
    }
    """

  static func read(_ text: String, environment: [String: String] = [:]) throws(Diagnostics) -> Configuration {
    try Configuration.read(
      Array(text.utf8), file: "config.json", directory: "/etc/pabal",
      secrets: SecretAccess(environment: { environment[$0] }))
  }

  /// One line for each error, without the file's name.
  static func errors(_ text: String) -> [String] {
    do throws(Diagnostics) {
      _ = try read(text)
      return []
    } catch {
      return error.all.map { String($0.description.dropFirst("config.json:".count)) }
    }
  }

  /// A configuration that is right but for what replaces one of its keys.
  static func errors(
    transport: String = #""a""#, transports: String = #"{"a": {"plugin": "a"}}"#,
    from: String = #""a@example.com""#,
    more: String = ""
  ) -> [String] {
    errors("{\"transport\": \(transport),\n\"transports\": \(transports),\n\"from\": \(from)\(more)}")
  }

  @Test func `everything the file says is read`() throws {
    let configuration = try Self.read(Self.complete, environment: ["TOKEN": "t0ken"])
    #expect(configuration.route == ["gmail", "smtp"])
    #expect(configuration.transports.map(\.name) == ["gmail", "smtp", "mine"])
    #expect(configuration.transports.map(\.plugin) == ["gmail", "smtp", "/etc/pabal/lib/libpabal-mine.so"])
    #expect(configuration.transports[1].settings.map(\.key) == ["host", "port", "account"])
    #expect(configuration.transports[1].location.path == "transports.smtp")
    #expect(configuration.transports[1].location.position == SourcePosition(line: 6, column: 14))
    #expect(configuration.accounts.map(\.name) == ["google"])
    #expect(configuration.accounts.map(\.provider) == ["token"])
    #expect(try configuration.sender().description == "\"Pabal\" <you@gmail.com>")
    #expect(configuration.messages?.directory == "/etc/pabal/Sources/Messages")
    #expect(configuration.messages?.language == "ko")
    #expect(configuration.messages?.variables.map(\.name) == ["service"])
    #expect(try configuration.messages?.variables.first?.value.fetch() == "Pabal")
    #expect(configuration.plugins.directories == ["/etc/pabal/plugins", "/opt/pabal"])
    let account = try Accounts(configuration).account("google")
    #expect(account.user == "you@gmail.com")
    #expect(try account.accessToken(rejected: nil).text == "t0ken")
  }

  @Test func `what may be left out may be left out`() throws {
    let configuration = try Self.read(
      #"{"transport": "a", "transports": {"a": {"plugin": "file"}}, "from": "a@example.com"}"#)
    #expect(configuration.route == ["a"])
    #expect(configuration.accounts.isEmpty)
    #expect(configuration.messages == nil)
    #expect(configuration.plugins.directories.isEmpty)
  }

  @Test func `all errors come at once, in reading order`() {
    let text = """
      {
        "transprot": "smtp",
        "transports": {
          "smtp": { "plugn": "smtp", "port": 465 },
          "file": { "plugin": 5, "a": 1, "a": 2 }
        },
        "accounts": { "google": { "provider": "tokn", "user": "a@example.com" } },
        "from": "nobody",
        "from": "a@example.com",
        "messages": { "directory": "~/mail", "language": "../ko", "variables": { "service": 1 } },
        "plugins": "plugins",
        "audience": {}
      }
      """
    #expect(
      Self.errors(text) == [
        "1:1: error: the key 'transport' is missing; name one of \"transports\", as in \"transport\": \"smtp\"",
        "2:3: error: transprot: unknown key; did you mean 'transport'?",
        "4:13: error: transports.smtp: the key 'plugin' is missing; did you mean it by 'plugn'?",
        "5:25: error: transports.file.plugin: expected a string, not a number; write it in double quotes",
        "5:36: error: transports.file.a: the key stands twice, first in line 5, column 28; keep one of the two",
        "7:41: error: accounts.google.provider: there is no provider 'tokn'; did you mean 'token'?",
        "8:11: error: from: a name without an address stands in 'nobody'; write addresses as Name <address>, with commas between them and special characters in quotes",
        "9:3: error: from: the key stands twice, first in line 8, column 3; keep one of the two",
        "10:30: error: messages.directory: ~ isn't expanded here; write the path of your home folder, or a path relative to this file",
        "10:52: error: messages.language: '../ko' is no language; write it as in \"ko\" or \"en-GB\"",
        "10:87: error: messages.variables.service: expected a string, not a number; write it in double quotes",
        "11:14: error: plugins: expected an object, not a string",
        "12:3: error: audience: unknown key; known are '$schema', 'transport', 'transports', 'accounts', 'from', 'messages', 'outbox', 'storage', 'plugins', 'keys', 'serve', 'verification'",
      ])
  }

  @Test func `a syntax error stands alone`() {
    #expect(
      Self.errors("{\"transprot\": 1,\n\"form\": }")
        == ["2:9: error: } where a value should stand"])
  }

  @Test func `a file that is no object is refused`() {
    #expect(Self.errors("[]") == ["1:1: error: expected an object, not a list"])
    #expect(Self.errors("null") == ["1:1: error: expected an object, not null"])
  }

  @Test func `an empty object lacks what is needed`() {
    #expect(
      Self.errors("{}") == [
        "1:1: error: the key 'transport' is missing; name one of \"transports\", as in \"transport\": \"console\"",
        "1:1: error: the key 'transports' is missing; add \"transports\": {\"console\": {\"plugin\": \"console\"}}",
        "1:1: error: the key 'from' is missing; add \"from\": \"Pabal <you@example.com>\"",
      ])
  }

  @Test func `a name that isn't one never stands in an error as it is`() {
    let errors = Self.errors(#"{"transports": {"\u001b[2J": ""}, "\u0000": 1}"#).joined()
    #expect(!errors.isEmpty && !errors.containsControlCharacter)
  }

  @Test(arguments: [
    (#""b""#, "1:15: error: transport: there is no transport 'b'; did you mean 'a'?"),
    (#""zebra""#, "1:15: error: transport: there is no transport 'zebra'; known are 'a'"),
    (#"["a", "zebra"]"#, "1:21: error: transport[1]: there is no transport 'zebra'; known are 'a'"),
    (#"["a", "a"]"#, "1:21: error: transport[1]: 'a' stands twice; a route tries each transport once"),
    ("[]", "1:15: error: transport: the list is empty; name at least one transport"),
    ("5", "1:15: error: transport: expected a name or a list of names, not a number"),
    (#"{"env": "T"}"#, "1:15: error: transport: expected a name or a list of names, not an object"),
    ("[5]", "1:16: error: transport[0]: expected a string, not a number; write it in double quotes"),
    ("null", "1:15: error: transport: expected a name or a list of names, not null"),
  ])
  func `the route names transports that there are`(transport: String, expected: String) {
    #expect(Self.errors(transport: transport) == [expected])
  }

  @Test(arguments: [
    ("{}", "2:15: error: transports: there is no transport in it"),
    ("[]", "2:15: error: transports: expected an object, not a list"),
    (#"{"a": "file"}"#, "2:21: error: transports.a: expected an object, not a string"),
    (
      #"{"a": {}}"#,
      "2:21: error: transports.a: the key 'plugin' is missing; say which, as in \"plugin\": \"smtp\""
    ),
    (#"{"a": {"plugin": ""}}"#, "2:32: error: transports.a.plugin: the text is empty"),
    (
      #"{"a": {"plugin": "~/x.so"}}"#,
      "2:32: error: transports.a.plugin: ~ isn't expanded here; write the path of your home folder, or a path relative to this file"
    ),
    (
      #"{"a": {"plugin": "a\nb"}}"#,
      "2:32: error: transports.a.plugin: a line break or another control character in the text; take it out"
    ),
    (
      #"{"a": {"plugin": "a"}, "b c": {"plugin": "a"}}"#,
      "2:38: error: transports.'b c': a name with a character that commands and lists can't carry; letters, digits, - and _ are always good"
    ),
    (
      #"{"a": {"plugin": "a"}, "": {"plugin": "a"}}"#,
      "2:38: error: transports.'': an empty name; letters, digits, - and _ are always good"
    ),
    (
      #"{"a": {"plugin": "a"}, "-a": {"plugin": "a"}}"#,
      "2:38: error: transports.-a: a name with a character that commands and lists can't carry; letters, digits, - and _ are always good"
    ),
    (
      #"{"a": {"plugin": "a"}, "a": {"plugin": "b"}}"#,
      "2:38: error: transports.a: the key stands twice, first in line 2, column 16; keep one of the two"
    ),
    (
      #"{"a": {"plugin": "a", "x": {"y": [{"z": 1, "z": 2}]}}}"#,
      "2:58: error: transports.a.x.y[0].z: the key stands twice, first in line 2, column 50; keep one of the two"
    ),
  ])
  func `a transport has a name and a plugin`(transports: String, expected: String) {
    let noTransport = "1:15: error: transport: there is no transport 'a'; there is none"
    #expect(Self.errors(transports: transports) == (transports == "{}" ? [noTransport] : []) + [expected])
  }

  @Test(arguments: [
    ("[]", "4:13: error: accounts: expected an object, not a list"),
    (
      #"{"g": {"provider": "google", "user": "a@b.c", "client": "c.json"}}"#,
      "4:32: error: accounts.g.provider: there is no provider 'google'; known are 'token'"
    ),
    (
      #"{"g": {"provider": "token", "token": "t"}}"#,
      "4:19: error: accounts.g: the key 'user' is missing; name the mailbox, as in \"user\": \"you@example.com\""
    ),
    (
      #"{"g": {"provider": "token", "user": "a@b.c"}}"#,
      "4:19: error: accounts.g: the key 'token' is missing; say where it is, as in \"token\": {\"command\": [\"print-token\"]}"
    ),
    (
      #"{"g": {"user": "a@b.c", "token": "t"}}"#,
      "4:19: error: accounts.g: the key 'provider' is missing; say which, as in \"provider\": \"token\""
    ),
    (
      #"{"g": {"provider": "token", "usr": 1, "user": "a@b.c", "token": "t"}}"#,
      "4:41: error: accounts.g.usr: unknown key; did you mean 'user'?"
    ),
    (
      #"{"g": {"provider": "token", "user": "a@b.c", "token": {"envv": "T"}}}"#,
      "4:68: error: accounts.g.token.envv: unknown key; did you mean 'env'?"
    ),
    (
      #"{"g": {"provider": "token", "user": 7, "token": "t"}}"#,
      "4:49: error: accounts.g.user: expected a string, not a number; write it in double quotes"
    ),
  ])
  func `an account is what its provider wants`(accounts: String, expected: String) {
    #expect(Self.errors(more: ",\n\"accounts\": \(accounts)") == [expected])
  }

  @Test(arguments: [
    (#"{"env": ""}"#, "3:17: error: from.env: the text is empty"),
    (
      #"{"env": "$FROM"}"#,
      "3:17: error: from.env: no name of an environment variable; write the name alone, as in {\"env\": \"SMTP_PASSWORD\"}"
    ),
    ("{}", "3:9: error: from: a secret names exactly one of \"env\", \"file\" and \"command\""),
    (
      #"{"env": "A", "file": "b"}"#,
      "3:9: error: from: a secret names exactly one of \"env\", \"file\" and \"command\""
    ),
    (#"{"file": 1}"#, "3:18: error: from.file: expected a string, not a number; write it in double quotes"),
    (
      #"{"file": "~/secret"}"#,
      "3:18: error: from.file: ~ isn't expanded here; write the path of your home folder, or a path relative to this file"
    ),
    (
      #"{"command": "pass show smtp"}"#,
      "3:21: error: from.command: expected a list, not a string; write the program and each argument apart, as in [\"pass\", \"show\", \"smtp\"]; no shell is run"
    ),
    (#"{"command": []}"#, "3:21: error: from.command: the list is empty; name a program and its arguments"),
    (#"{"command": [""]}"#, "3:22: error: from.command[0]: the text is empty"),
    (
      #"{"command": ["pass", 1]}"#,
      "3:30: error: from.command[1]: expected a string, not a number; write it in double quotes"
    ),
    (
      #"{"command": ["pass", "a\u0000b"]}"#,
      "3:30: error: from.command[1]: a line break or another control character in the text; take it out"
    ),
    (#"{"env": {"env": "A"}}"#, "3:17: error: from.env: expected a string, not an object"),
    (#"{"cmd": ["pass"]}"#, "3:10: error: from.cmd: unknown key; known are 'env', 'file', 'command'"),
    ("true", "3:9: error: from: expected a string, not true or false"),
    ("null", "3:9: error: from: expected a string, not null; give a text, or take the key out"),
    (
      #""a@b.c\r\nBcc: x@y.z""#,
      "3:9: error: from: a line break or another control character in the text; take it out"
    ),
  ])
  func `a text or a secret has its shape`(from: String, expected: String) {
    #expect(Self.errors(from: from) == [expected])
  }

  @Test(arguments: [
    ("ko", true), ("en-GB", true), ("zh-Hant-TW", true), ("sl-rozaj-biske-1994", true), ("", false),
    ("k o", false),
    ("ko_KR", false), ("../ko", false), ("ko/", false), ("-ko", false), ("ko-", false), ("ko--KR", false),
    ("korean123", false), ("한국어", false), ("ko\u{0}", false), ("ＫＯ", false), ("ko.txt", false),
  ])
  func `a language is letters, digits and hyphens`(language: String, fits: Bool) {
    let escaped = language == "ko\u{0}" ? "ko\\u0000" : language
    let errors = Self.errors(more: ", \"messages\": {\"directory\": \"m\", \"language\": \"\(escaped)\"}")
    #expect(errors.isEmpty == fits)
  }

  @Test func `paths are relative to the file`() throws {
    func directory(_ path: String) throws -> String? {
      try Self.read(
        """
        {"transport": "a", "transports": {"a": {"plugin": "a"}}, "from": "a@b.c",
         "plugins": {"directories": ["\(path)"]}}
        """
      ).plugins.directories.first
    }
    #expect(try directory("/opt") == "/opt")
    #expect(try directory("x/y") == "/etc/pabal/x/y")
    #expect(try directory("./x") == "/etc/pabal/x")
    #expect(try directory(".") == "/etc/pabal")
    #expect(try directory("../x") == "/etc/pabal/../x")
    #expect(try directory("a~b") == "/etc/pabal/a~b")
  }

  @Test func `an override takes other transports for one run`() throws {
    let configuration = try Self.read(Self.complete)
    #expect(try configuration.transports().map(\.name) == ["gmail", "smtp"])
    #expect(
      try configuration.transports(overriding: ["mine", "smtp", "mine"]).map(\.name) == ["mine", "smtp"])
    let problem = #expect(throws: Diagnostics.self) {
      try configuration.transports(overriding: ["mien", "x"])
    }
    #expect(
      problem?.description == """
        config.json: error: there is no transport 'mien'; did you mean 'mine'?
        config.json: error: there is no transport 'x'; known are 'gmail', 'smtp', 'mine'
        """)
  }

  @Test func `no description or dump shows a setting or a token`() throws {
    let configuration = try Self.read(
      """
      {"transport": "a", "transports": {"a": {"plugin": "a", "password": "hunter2"}}, "from": "a@b.c",
       "accounts": {"g": {"provider": "token", "user": "a@b.c", "token": "hunter2"}},
       "messages": {"directory": "m", "language": "ko", "variables": {"x": "hunter2"}}}
      """)
    var dumped = ""
    dump(configuration, to: &dumped)
    dump(configuration.transports, to: &dumped)
    dump(try Accounts(configuration).account("g").accessToken(rejected: nil), to: &dumped)
    dumped +=
      "\(configuration) \(configuration.transports) \(configuration.accounts) \(configuration.messages as Any)"
    dumped += String(reflecting: configuration) + String(reflecting: configuration.from.source)
    #expect(dumped.contains("plugin"))
    #expect(!dumped.contains("hunter2"))
  }
}
