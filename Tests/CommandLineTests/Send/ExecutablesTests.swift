import Foundation
import PabalTesting
import Testing

/// The programs `pabal` and `pabal-main` behave as one command.
@Suite struct ExecutablesTests {
  /// Returns the log of the dynamic linker: every library that a run loads, including those of plugins.
  private func loaded(_ site: TestSite, _ arguments: String...) throws -> String {
    let log = "\(site.directory.path)/linker"
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", arguments,
      environment: [
        "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": log, "PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil,
      ],
      directory: site.directory.path)
    #expect([0, 75].contains(run.status), "\(run.errors)")
    let files = try FileManager.default.contentsOfDirectory(atPath: site.directory.path)
    return try files.filter { $0.hasPrefix("linker.") }.map {
      try String(contentsOfFile: "\(site.directory.path)/\($0)", encoding: .utf8)
    }.joined()
  }

  @Test(arguments: [
    ("file", #"{ "plugin": "file", "directory": "mail" }"#),
    ("smtp", #"{ "plugin": "smtp", "host": "127.0.0.1", "port": 1, "security": "none" }"#),
    ("gmail", #"{ "plugin": "gmail", "account": "me", "endpoint": "https://127.0.0.1:1" }"#),
  ])
  func `send loads neither a database nor full Foundation`(_ name: String, _ settings: String)
    throws
  {
    let site = try TestSite(
      """
      { "transport": "\(name)", "transports": { "\(name)": \(settings) }, "from": "pabal@example.com",
        "accounts": { "me": { "provider": "token", "user": "pabal@example.com", "token": "none" } },
        "messages": { "directory": "messages", "language": "ko", "variables": { "service": "Pabal" } } }
      """)
    let libraries = try loaded(site, "send", TestSite.address)
    for heavy in ["libFoundation.so", "libFoundationInternationalization", "lib_FoundationICU", "libsqlite3"]
    {
      #expect(!libraries.contains(heavy), "\(heavy)")
    }
    // The linker opens a plugin by the descriptor that was examined.
    #expect(libraries.contains(/\/proc\/[0-9]+\/fd\/[0-9]+/))
    // The check finds them in a command that needs them.
    if name == "file" { #expect(try loaded(site, "outbox", "list").contains("libFoundation.so")) }
  }

  @Test func `only pabal-main contains the server and the database`() throws {
    func binaryContains(_ name: String, _ word: String) throws -> Bool {
      let program = try Data(
        contentsOf: URL(filePath: "\(BuiltProducts.directory)/\(name)"), options: .alwaysMapped)
      return program.range(of: Data(word.utf8)) != nil
    }
    for module in ["4GRDB", "11Hummingbird", "12PabalStorage", "9PabalHTTP", "14ArgumentParser"] {
      #expect(try !binaryContains("pabal", module), "\(module)")
      #expect(try binaryContains("pabal-main", module), "\(module)")
    }
    #expect(try binaryContains("pabal", "12PabalCommand"))
  }

  @Test func `help, completions and usage errors speak of one command called pabal`() throws {
    let site = try TestSite()
    let help = try site.pabal("--help")
    #expect(help.status == 0)
    for command in [
      "send", "sendmail", "verify", "outbox", "storage", "serve", "transports", "messages", "account", "keys",
      "check",
    ] {
      #expect(help.output.contains("\n  \(command) "), "\(command)")
    }
    #expect(try site.pabal().output == help.output)
    for shell in ["bash", "zsh", "fish"] {
      let script = try site.pabal("--generate-completion-script", shell)
      #expect(script.status == 0)
      #expect(script.output.contains("verify") && script.output.contains("dry-run"))
      #expect(!script.output.contains("pabal-main"))
    }
    for arguments in [["send", "--help"], ["help", "send"]] {
      let run = try ChildProcess.run("\(BuiltProducts.directory)/pabal", arguments)
      #expect(run.status == 0)
      #expect(run.output.contains("USAGE: pabal send "))
    }
    for arguments in [["send"], ["send", "--colour"], ["check", "more"]] {
      let run = try ChildProcess.run("\(BuiltProducts.directory)/pabal", arguments)
      #expect(run.status == 64)
      #expect(run.errors.contains("Usage: pabal ") && !run.errors.contains("pabal-main"), "\(run.errors)")
    }
  }

  /// Returns every option of `pabal send` listed in its help, with a value and the options that it requires.
  private func options(_ site: TestSite) throws -> [[String]] {
    struct Dump: Decodable {
      struct Command: Decodable {
        let commandName: String
        let subcommands: [Command]?
        let arguments: [Argument]?
      }
      struct Argument: Decodable {
        struct Name: Decodable {
          let kind: String
          let name: String
        }
        let kind: String
        let names: [Name]?
      }
      let command: Command
    }
    let dump = try JSONDecoder().decode(Dump.self, from: Data(site.pabal("--experimental-dump-help").bytes))
    let send = try #require(dump.command.subcommands?.first { $0.commandName == "send" })
    let requiredCompanions = [
      "--subject": ["--text", "t"], "--text": ["--subject", "s"], "--html": ["--subject", "s"],
      "--parallel": ["--count", "2"],
    ]
    return try #require(send.arguments).filter { $0.kind != "positional" }.flatMap { argument in
      (argument.names ?? []).map { name in
        let word = (name.kind == "long" ? "--" : "-") + name.name
        return [word] + (argument.kind == "flag" ? [] : ["3"]) + (requiredCompanions[word] ?? [])
      }
    }.filter { !["--help", "-h", "--version"].contains($0[0]) }
  }

  @Test func `pabal parses every option of send without pabal-main`() throws {
    let site = try TestSite()
    let alone = try TemporaryDirectory()
    try alone.copy("\(BuiltProducts.directory)/pabal", to: "pabal")
    let options = try options(site)
    #expect(options.count > 15)
    for option in options {
      let addresses = option[0] == "--eml" ? [] : [TestSite.address]
      // The run then fails because there is no configuration.
      let run = try ChildProcess.run(
        "\(alone.path)/pabal", ["send"] + addresses + option, environment: ["PABAL_CONFIG": nil],
        directory: alone.path)
      #expect(!run.errors.contains("incomplete installation"), "\(option): \(run.errors)")
    }
  }

  @Test(arguments: [
    ["a@example.com"], ["a@example.com", "b@example.com", "--json"],
    ["--language", "fr,en", "a@example.com", "--set", "service=Shop=1", "--set=valid_for=9"],
    ["a@example.com", "--subject", "가 나", "--text=-t", "--html", "<p>=</p>", "--from=x@example.org"],
    ["a@example.com", "--count=3", "--parallel", "2"], ["a@example.com", "--count", "0"],
    ["a@example.com", "--count", "+3"], ["a@example.com", "--count", "3.0"],
    ["a@example.com", "--count", " 3"],
    ["--eml", "-"], ["--eml=-", "c@example.com"], ["--eml", "nowhere.eml"], ["--eml", "--json"],
    ["a@example.com", "--transport", "console", "--transport=file"], ["a@example.com", "--transport", ""],
    ["a@example.com", "--json=true"], ["a@example.com", "-vv"], ["a@example.com", "-v"],
    ["--", "a@example.com"],
    ["--", "--json"], ["-"], ["a@example.com", "-"], [""], ["a@example.com", ""], ["a@example.com", "--"],
    ["a@example.com", "--message"], ["a@example.com", "--message="], ["a@example.com", "--messag", "x"],
    ["a@example.com", "--message", "a", "--message", "verification"], ["a@example.com", "--yes", "--yes"],
    ["a@example.com", "--subject", "s", "--text", "-1"], ["a@example.com", "--text", "t"], [],
    ["a@example.com", "--config", "config.json"], ["a@example.com", "--config", "nowhere.json"],
    ["a@example.com", "=", "--=x"], ["a@example.com", "---", "x"], ["@a", "--json"],
  ])
  func `both programs parse arguments alike`(_ arguments: [String]) throws {
    let site = try TestSite()
    let mail = Array("From: a@example.com\r\nTo: b@example.com\r\nSubject: s\r\n\r\nb\r\n".utf8)
    let answers = try ["pabal", "pabal-main"].map { program in
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/\(program)", ["send"] + arguments + ["--dry-run"], input: mail,
        environment: ["PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil], directory: site.directory.path)
      return "\(run.status)\n\(run.errors)\n\(withoutVaryingLines(run.output))"
    }
    #expect(answers[0] == answers[1])
  }

  /// Returns the output without codes and lines that differ between two mails: date, id, boundaries, Base64.
  private func withoutVaryingLines(_ output: String) -> String {
    output.split(separator: "\n").filter { line in
      !["Date:", "Message-ID:", "--=_", "octets", "message_id", "boundary="].contains { line.contains($0) }
    }.joined(separator: "\n").replacing(/[0-9]{6}/, with: "code")
  }

  /// Returns a folder with `pabal` and a shell named `pabal-main`.
  private func fakeMainProgram() throws -> TemporaryDirectory {
    let folder = try TemporaryDirectory()
    try folder.copy("\(BuiltProducts.directory)/pabal", to: "pabal")
    try folder.copy(URL(filePath: "/bin/sh").resolvingSymlinksInPath().path, to: "pabal-main")
    return folder
  }

  @Test func `pabal-main runs with the name, arguments, streams and process of pabal`() throws {
    let folder = try fakeMainProgram()
    let script = #"echo "$$ $0 $HOME $(cat)" "$(test -e /dev/fd/7 && echo seven)" "${SSLKEYLOGFILE-none}""#
    let run = try ChildProcess.run(
      "bash", ["-c", "printf '%s ' $$; exec 7</dev/null; exec -a courier ./pabal -c '\(script)'"],
      input: Array("in".utf8), environment: ["HOME": "/home/one", "SSLKEYLOGFILE": "/tmp/keys"],
      directory: folder.path)
    let fields = run.output.split(whereSeparator: \.isWhitespace)
    #expect(fields.dropFirst(2) == ["courier", "/home/one", "in", "seven", "none"], "\(run.output)")
    #expect(fields.count == 7 && fields[0] == fields[1])
    #expect(try ChildProcess.run("\(folder.path)/pabal", ["-c", "exit 42"]).status == 42)
  }

  @Test func `send works without pabal-main, and other commands say where it is expected`() throws {
    let site = try TestSite()
    try site.directory.copy("\(BuiltProducts.directory)/pabal", to: "bin/pabal")
    try site.directory.copy(BuiltProducts.plugin("file"), to: "lib/pabal/libpabal-file.so")
    func pabal(_ arguments: String...) throws -> ChildProcess {
      try ChildProcess.run(
        "\(site.directory.path)/bin/pabal", arguments,
        environment: ["PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil],
        directory: site.directory.path)
    }
    #expect(try pabal("send", TestSite.address).status == 0)
    let alone = try pabal("transports", "--json")
    #expect(alone.status == 78)
    for place in ["bin", "libexec/pabal"] {
      #expect(alone.errors.contains("\(site.directory.path)/\(place)/pabal-main"), "\(alone.errors)")
    }
    #expect(alone.output.contains("incomplete installation"))

    try site.directory.write("", to: "libexec/pabal/pabal-main")
    let unfit = try pabal("transports")
    #expect(unfit.status == 78)
    #expect(unfit.errors.contains("can't be run: Permission denied"), "\(unfit.errors)")

    try FileManager.default.removeItem(atPath: "\(site.directory.path)/libexec/pabal/pabal-main")
    try site.directory.copy("\(BuiltProducts.directory)/pabal-main", to: "libexec/pabal/pabal-main")
    let whole = try pabal("transports")
    #expect(whole.status == 0, "\(whole.errors)")
    // pabal-main finds the plugins of pabal.
    #expect(whole.output.contains("  file (1):"), "\(whole.output)")
  }
}
