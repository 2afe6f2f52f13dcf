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
      "messages": {
        "directory": "Sources/Messages", "overrides": "messages", "language": "ko",
        "variables": { "service": "Pabal" }
      },
      "plugins": { "directories": ["plugins", "/opt/pabal"] }
    }
    """

  static func read(_ text: String, environment: [String: String] = [:]) throws(Diagnostics) -> Configuration {
    try Configuration.read(
      Array(text.utf8), file: "config.json", directory: "/etc/pabal",
      secrets: SecretAccess(environment: { environment[$0] }))
  }

  /// Returns one line for each error, without the name of the file.
  static func errors(_ text: String) -> [String] {
    do throws(Diagnostics) {
      _ = try read(text)
      return []
    } catch {
      return error.all.map { String($0.description.dropFirst("config.json:".count)) }
    }
  }

  /// Returns the errors of a valid configuration in which some values are replaced.
  static func errors(
    transport: String = #""a""#, transports: String = #"{"a": {"plugin": "a"}}"#,
    from: String = #""a@example.com""#,
    more: String = ""
  ) -> [String] {
    errors("{\"transport\": \(transport),\n\"transports\": \(transports),\n\"from\": \(from)\(more)}")
  }

  @Test func `every section of the file is read`() throws {
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
    #expect(configuration.messages?.overrides == "/etc/pabal/messages")
    #expect(configuration.messages?.language == "ko")
    #expect(configuration.messages?.variables.map(\.name) == ["service"])
    #expect(try configuration.messages?.variables.first?.value.fetch() == "Pabal")
    #expect(configuration.plugins.directories == ["/etc/pabal/plugins", "/opt/pabal"])
    let account = try Accounts(configuration).account("google")
    #expect(account.user == "you@gmail.com")
    #expect(try account.accessToken(rejected: nil).text == "t0ken")
  }

  @Test func `optional sections can be left out`() throws {
    let configuration = try Self.read(
      #"{"transport": "a", "transports": {"a": {"plugin": "file"}}, "from": "a@example.com"}"#)
    #expect(configuration.route == ["a"])
    #expect(configuration.accounts.isEmpty)
    #expect(configuration.messages == nil)
    #expect(configuration.plugins.directories.isEmpty)
  }

  @Test func `all errors are reported at once, in the order of the file`() {
    let text = """
      {
        "transprot": "smtp",
        "transports": {
          "smtp": { "plugn": "smtp", "port": 465 },
          "file": { "plugin": 5, "a": 1, "a": 2 }
        },
        "accounts": { "google": { "provider": "tokn", "user": "a@example.com" } },
        "from": "kim",
        "from": "a@example.com",
        "messages": { "directory": "~/mail", "language": "../ko", "variables": { "service": 1 } },
        "plugins": "plugins",
        "audience": {}
      }
      """
    #expect(
      Self.errors(text) == [
        "1:1: error: missing key 'transport'; name one of \"transports\", for example \"transport\": \"smtp\"",
        "2:3: error: transprot: unknown key; did you mean 'transport'?",
        "4:13: error: transports.smtp: missing key 'plugin'; rename 'plugn' to \"plugin\" if it is misspelt",
        "5:25: error: transports.file.plugin: expected a string, not a number; write it in double quotes",
        "5:36: error: transports.file.a: duplicate key, first used in line 5, column 28; remove one of the two",
        "7:41: error: accounts.google.provider: unknown provider 'tokn'; did you mean 'token'?",
        "8:11: error: from: 'kim' isn't an address: it has no @; write it like kim@example.com",
        "9:3: error: from: duplicate key, first used in line 8, column 3; remove one of the two",
        "10:30: error: messages.directory: ~ is not expanded; write the path of your home directory, or a path relative to this file",
        "10:52: error: messages.language: '../ko' is not a language tag; write it like \"ko\" or \"en-GB\"",
        "10:87: error: messages.variables.service: expected a string, not a number; write it in double quotes",
        "11:14: error: plugins: expected an object, not a string; write it in braces, like {\"key\": \"value\"}",
        "12:3: error: audience: unknown key; use one of '$schema', 'transport', 'transports', 'routes', 'accounts', 'from', 'messages', 'outbox', 'storage', 'plugins', 'keys', 'serve', 'verification', 'aliases', 'mailboxes'",
      ])
  }

  @Test func `a syntax error is the only error reported`() {
    #expect(
      Self.errors("{\"transprot\": 1,\n\"form\": }")
        == ["2:9: error: expected a value, not }"])
  }

  @Test func `a file without an object is rejected`() {
    #expect(
      Self.errors("[]") == [
        "1:1: error: expected an object, not a list; write it in braces, like {\"key\": \"value\"}"
      ])
    #expect(
      Self.errors("null") == [
        "1:1: error: expected an object, not null; write it in braces, like {\"key\": \"value\"}"
      ])
  }

  @Test func `the missing keys of an empty object are reported`() {
    #expect(
      Self.errors("{}") == [
        "1:1: error: missing key 'transport'; name one of \"transports\", for example \"transport\": \"console\"",
        "1:1: error: missing key 'transports'; add one, for example \"transports\": {\"console\": {\"plugin\": \"console\"}}",
        "1:1: error: missing key 'from'; add one, for example \"from\": \"Pabal <you@example.com>\"",
      ])
  }

  @Test func `an invalid name is escaped in errors`() {
    let errors = Self.errors(#"{"transports": {"\u001b[2J": ""}, "\u0000": 1}"#).joined()
    #expect(!errors.isEmpty && !errors.containsControlCharacter)
  }

  @Test(arguments: [
    (#""b""#, "1:15: error: transport: unknown transport 'b'; did you mean 'a'?"),
    (#""zebra""#, "1:15: error: transport: unknown transport 'zebra'; use 'a'"),
    (#"["a", "zebra"]"#, "1:21: error: transport[1]: unknown transport 'zebra'; use 'a'"),
    (#"["a", "a"]"#, "1:21: error: transport[1]: duplicate transport 'a'; list each transport once"),
    ("[]", "1:15: error: transport: empty list; name at least one transport"),
    (
      "5",
      "1:15: error: transport: expected a name or a list of names, not a number; write it like \"a\" or [\"a\"]"
    ),
    (
      #"{"env": "T"}"#,
      "1:15: error: transport: expected a name or a list of names, not an object; write it like \"a\" or [\"a\"]"
    ),
    ("[5]", "1:16: error: transport[0]: expected a string, not a number; write it in double quotes"),
    (
      "null",
      "1:15: error: transport: expected a name or a list of names, not null; write it like \"a\" or [\"a\"]"
    ),
  ])
  func `the route names existing transports`(transport: String, expected: String) {
    #expect(Self.errors(transport: transport) == [expected])
  }

  @Test(arguments: [
    ("{}", "2:15: error: transports: no transports; add at least one"),
    (
      "[]",
      "2:15: error: transports: expected an object, not a list; write it in braces, like {\"key\": \"value\"}"
    ),
    (
      #"{"a": "file"}"#,
      "2:21: error: transports.a: expected an object, not a string; write it in braces, like {\"key\": \"value\"}"
    ),
    (
      #"{"a": {}}"#,
      "2:21: error: transports.a: missing key 'plugin'; add the name of a plugin, for example \"plugin\": \"smtp\""
    ),
    (
      #"{"a": {"plugin": ""}}"#,
      "2:32: error: transports.a.plugin: empty text; write something in it, or remove it"
    ),
    (
      #"{"a": {"plugin": "~/x.so"}}"#,
      "2:32: error: transports.a.plugin: ~ is not expanded; write the path of your home directory, or a path relative to this file"
    ),
    (
      #"{"a": {"plugin": "a\nb"}}"#,
      "2:32: error: transports.a.plugin: contains a line break or another control character; remove it"
    ),
    (
      #"{"a": {"plugin": "a"}, "b c": {"plugin": "a"}}"#,
      "2:38: error: transports.'b c': name with a character that commands and lists can't show; use letters, digits, - and _"
    ),
    (
      #"{"a": {"plugin": "a"}, "": {"plugin": "a"}}"#,
      "2:38: error: transports.'': empty name; use letters, digits, - and _"
    ),
    (
      #"{"a": {"plugin": "a"}, "-a": {"plugin": "a"}}"#,
      "2:38: error: transports.-a: name that begins with -; use letters, digits, - and _"
    ),
    (
      #"{"a": {"plugin": "a"}, "a": {"plugin": "b"}}"#,
      "2:38: error: transports.a: duplicate key, first used in line 2, column 16; remove one of the two"
    ),
    (
      #"{"a": {"plugin": "a", "x": {"y": [{"z": 1, "z": 2}]}}}"#,
      "2:58: error: transports.a.x.y[0].z: duplicate key, first used in line 2, column 50; remove one of the two"
    ),
  ])
  func `a transport needs a valid name and a plugin`(transports: String, expected: String) {
    let noTransport = "1:15: error: transport: unknown transport 'a'"
    #expect(Self.errors(transports: transports) == (transports == "{}" ? [noTransport] : []) + [expected])
  }

  @Test(arguments: [
    (
      "[]",
      "4:13: error: accounts: expected an object, not a list; write it in braces, like {\"key\": \"value\"}"
    ),
    (
      #"{"g": {"provider": "google", "user": "a@b.c", "client": "c.json"}}"#,
      "4:32: error: accounts.g.provider: unknown provider 'google'; use 'token'"
    ),
    (
      #"{"g": {"provider": "token", "token": "t"}}"#,
      "4:19: error: accounts.g: missing key 'user'; name the mailbox, for example \"user\": \"you@example.com\""
    ),
    (
      #"{"g": {"provider": "token", "user": "a@b.c"}}"#,
      "4:19: error: accounts.g: missing key 'token'; add its source, for example \"token\": {\"command\": [\"print-token\"]}"
    ),
    (
      #"{"g": {"user": "a@b.c", "token": "t"}}"#,
      "4:19: error: accounts.g: missing key 'provider'; add one, for example \"provider\": \"token\""
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
  func `an account is validated by its provider`(accounts: String, expected: String) {
    #expect(Self.errors(more: ",\n\"accounts\": \(accounts)") == [expected])
  }

  @Test(arguments: [
    (
      #"{"env": ""}"#,
      "3:17: error: from.env: not the name of an environment variable; write only the name, like {\"env\": \"SMTP_PASSWORD\"}"
    ),
    (
      #"{"env": "$FROM"}"#,
      "3:17: error: from.env: not the name of an environment variable; write only the name, like {\"env\": \"SMTP_PASSWORD\"}"
    ),
    (
      "{}",
      "3:9: error: from: a secret needs exactly one of \"env\", \"file\" and \"command\"; write it like {\"env\": \"SMTP_PASSWORD\"}"
    ),
    (
      #"{"env": "A", "file": "b"}"#,
      "3:9: error: from: a secret needs exactly one of \"env\", \"file\" and \"command\"; write it like {\"env\": \"SMTP_PASSWORD\"}"
    ),
    (#"{"file": 1}"#, "3:18: error: from.file: expected a string, not a number; write it in double quotes"),
    (
      #"{"file": "~/secret"}"#,
      "3:18: error: from.file: ~ is not expanded; write the path of your home directory, or a path relative to this file"
    ),
    (
      #"{"command": "pass show smtp"}"#,
      "3:21: error: from.command: expected a list, not a string; write the program and each argument as a string, like [\"pass\", \"show\", \"smtp\"], because no shell is involved"
    ),
    (#"{"command": []}"#, "3:21: error: from.command: empty list; name a program and its arguments"),
    (#"{"command": [""]}"#, "3:22: error: from.command[0]: empty text; write something in it, or remove it"),
    (
      #"{"command": ["pass", 1]}"#,
      "3:30: error: from.command[1]: expected a string, not a number; write it in double quotes"
    ),
    (
      #"{"command": ["pass", "a\u0000b"]}"#,
      "3:30: error: from.command[1]: contains a line break or another control character; remove it"
    ),
    (#"{"env": {"env": "A"}}"#, "3:17: error: from.env: expected a string, not an object; write one string"),
    (
      #"{"cmd": ["pass"]}"#,
      "3:10: error: from.cmd: unknown key; use one of 'env', 'file', 'command', 'environment'"
    ),
    ("true", "3:9: error: from: expected a string, not true or false; write it in double quotes"),
    ("null", "3:9: error: from: expected a string, not null; write a string, or remove the key"),
    (
      #""a@b.c\r\nBcc: x@y.z""#,
      "3:9: error: from: contains a line break or another control character; remove it"
    ),
  ])
  func `a text or a secret is validated`(from: String, expected: String) {
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

  @Test func `an override selects other transports`() throws {
    let configuration = try Self.read(Self.complete)
    #expect(try configuration.transports().map(\.name) == ["gmail", "smtp"])
    #expect(
      try configuration.transports(overriding: ["mine", "smtp", "mine"]).map(\.name) == ["mine", "smtp"])
    let problem = #expect(throws: Diagnostics.self) {
      try configuration.transports(overriding: ["mien", "x"])
    }
    #expect(
      problem?.description == """
        config.json: error: unknown transport 'mien'; did you mean 'mine'?
        config.json: error: unknown transport 'x'; use one of 'gmail', 'smtp', 'mine'
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
