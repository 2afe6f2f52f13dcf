import PabalTesting
import Testing

/// A misspelt command line says what was most likely meant.
@Suite struct MisspeltCommandTests {
  @Test(arguments: [
    (["sned"], "unknown command “sned”; did you mean `pabal send`?"),
    (["sned", "you@example.com", "--json"], "unknown command “sned”; did you mean `pabal send`?"),
    (["hepl"], "unknown command “hepl”; did you mean `pabal help`?"),
    (["help", "chekc"], "unknown command “chekc”; did you mean `pabal check`?"),
    (["outbox", "lst"], "unknown command “lst” of `pabal outbox`; did you mean `pabal outbox list`?"),
    (["outbox", "--json", "shwo", "x"], "did you mean `pabal outbox show`?"),
    (["transports", "shwo", "file"], "did you mean `pabal transports show`?"),
    (["verify", "strat", "a@example.org"], "did you mean `pabal verify start`?"),
    (["keys", "rotat"], "did you mean `pabal keys rotate`?"),
    (["messages", "lnt"], "did you mean `pabal messages lint`?"),
    (["nothing"], "unknown command “nothing”; `pabal --help` lists the commands"),
    (
      ["keys", "nothing"], "unknown command “nothing” of `pabal keys`; `pabal keys --help` lists the commands"
    ),
    (["--jsn", "check"], "“--jsn” stands before the command; write options after it"),
    (["check", "--jsn"], "Did you mean '--json'?"),
    (["send", "--transprot", "console", "a@b.c"], "Did you mean '--transport'?"),
    (["outbox", "list", "--limt", "3"], "Did you mean '--limit'?"),
  ])
  func `the command or option that was meant is named`(arguments: [String], expected: String) throws {
    let site = try TestSite()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", arguments, directory: site.directory.path)
    #expect(run.status == 64)
    #expect(run.errors.contains(expected), "\(run.errors)")
  }

  @Test func `an unknown account may be a misspelt command`() throws {
    let site = try TestSite()
    let run = try site.pabal("account", "lgoin", "google")
    #expect(run.errors.contains("did you mean `pabal account login`?"), "\(run.errors)")
  }

  @Test(arguments: [
    ["help", "send"], ["--help"], ["--version"], ["outbox", "--help"], ["help", "outbox", "list"],
  ])
  func `help and the version stay`(arguments: [String]) throws {
    let run = try ChildProcess.run("\(BuiltProducts.directory)/pabal", arguments)
    #expect(run.status == 0)
    #expect(!run.output.isEmpty)
  }
}
