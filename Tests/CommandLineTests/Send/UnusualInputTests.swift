import Foundation
import PabalTesting
import Testing

/// Regression tests for unusual input.
@Suite struct UnusualInputTests {
  @Test(arguments: [
    "From: a@b.c\r\nTo: d@e.f\r\nSubject: x\nBcc: evil@x.y\r\n\r\nb",
    "From: a@b.c\r\nSubject: x\n\nY: z\r\n\r\n",
    "From: a@b.c\nSubject: x\r\nY: z\n\n",
  ])
  func `a header with mixed line endings is rejected`(eml: String) throws {
    let site = try TestSite()
    let run = try site.pabal("send", "a@example.org", "--eml", "-", input: Array(eml.utf8))
    #expect(run.status == 65)
    #expect(run.errors.contains("different line break"))
    #expect(site.mails == [])
  }

  @Test func `an argument that isn't UTF-8 is rejected, not repaired to another address`() throws {
    let site = try TestSite()
    let script = "exec \"$0\" send \"$(printf 'a\\377@b.c')\" --subject x --text y"
    let run = try ChildProcess.run(
      "/bin/sh", ["-c", script, "\(BuiltProducts.directory)/pabal"], directory: site.directory.path)
    #expect(run.status == 65)
    #expect(run.errors.contains("argument 2 isn't valid UTF-8"))
    #expect(site.mails == [])
  }

  @Test func `standard input is read from its current position`() throws {
    let site = try TestSite()
    try site.directory.write("From the mailbox\nFrom: a@b.c\nTo: d@e.f\n\nx\n", to: "mbox")
    let script = "{ IFS= read -r skipped; exec \"$0\" send --eml -; } < mbox"
    let run = try ChildProcess.run(
      "/bin/bash", ["-c", script, "\(BuiltProducts.directory)/pabal"], directory: site.directory.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(try site.onlyMail().hasPrefix("From: a@b.c\r\n"))
  }

  @Test func `after a partial success, send doesn't advise to repeat the mail`() throws {
    let site = try TestSite(TestSite.scripted("each sent deferred rejected"))
    try site.addFaultyPlugin()
    let run = try site.pabal("send", "a@x.org", "b@x.org", "c@x.org")
    #expect(run.status == 75)
    #expect(run.errors.contains("Sent, except to b@x.org, c@x.org."))
    #expect(!run.errors.contains("Not sent; try again"))
  }

  @Test func `--count fails over like a single send`() throws {
    let site = try TestSite(
      TestSite.configuration(
        transport: #"["broken", "file"]"#,
        more: #""broken": { "plugin": "file", "directory": "/proc/none" },"#))
    let run = try site.pabal("send", "a@x.org", "--count", "3", "--json")
    #expect(run.status == 0, "\(run.errors)")
    #expect(site.mails.count == 3)
  }

  @Test func `a secret in a setting that can't be one is never shown`() throws {
    let site = try TestSite(
      TestSite.shipped.replacing(#""파발 <pabal@example.com>""#, with: #"{ "env": "PABAL_TEST_SECRET" }"#))
    for arguments in [
      ["send", "a@x.org"], ["check"], ["check", "--json"], ["send", "a@x.org", "--json", "-v"],
    ] {
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal", arguments, environment: ["PABAL_TEST_SECRET": "hunter2"],
        directory: site.directory.path)
      #expect(run.status == 78)
      #expect(!(run.output + run.errors).contains("hunter2"))
    }
  }

  @Test func `output that can't be written completely is an error`() throws {
    let site = try TestSite()
    let script = "\"$0\" messages render verification --part html > /dev/full"
    let run = try ChildProcess.run(
      "/bin/sh", ["-c", script, "\(BuiltProducts.directory)/pabal"], directory: site.directory.path)
    #expect(run.status == 73)
    #expect(run.errors.contains("No space left"))
  }

  @Test func `with --json a configuration error is printed to standard output too`() throws {
    let site = try TestSite(#"{ "transport": "file" }"#)
    let run = try site.pabal("send", "a@x.org", "--json")
    #expect(run.status == 78)
    let errors = try #require(try run.json["errors"] as? [[String: Any]])
    #expect(
      errors.allSatisfy { Set($0.keys) == ["severity", "file", "line", "column", "path", "what", "cure"] })
  }

  @Test func `the error about an unknown transport names the option, not the file`() throws {
    let site = try TestSite()
    let option = try site.pabal("send", "a@x.org", "--transport", "fiel")
    #expect(option.status == 78)
    #expect(option.errors.contains("error: --transport: unknown transport"))
    let variable = try site.pabal("send", "a@x.org", environment: ["PABAL_TRANSPORT": "fiel"])
    #expect(variable.errors.contains("error: PABAL_TRANSPORT: unknown transport"))
    #expect(try site.pabal("send", "a@x.org", "--transport", "").status == 64)
  }

  @Test func `a missing messages directory is named by every command`() throws {
    let site = try TestSite(
      TestSite.shipped.replacing(#""directory": "messages""#, with: #""directory": "mesages""#))
    for arguments in [
      ["send", "a@x.org"], ["messages", "lint"], ["messages", "render", "verification"], ["check"],
    ] {
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal", arguments, directory: site.directory.path)
      #expect(run.status == 78, "\(arguments)")
      #expect((run.output + run.errors).contains("mesages can't be read"))
    }
  }

  @Test func `check includes accounts that no transport uses`() throws {
    let account =
      #""accounts": { "me": { "provider": "token", "user": "a@x.org", "token": { "env": "PABAL_NONE" } } },"#
    let site = try TestSite(TestSite.shipped.replacing(#""from""#, with: "\(account)\n  \"from\""))
    let run = try site.pabal("check")
    #expect(run.status == 77, "\(run.output)")
    #expect(run.output.contains("held  account me"))
    #expect(run.output.contains("PABAL_NONE"))
  }

  @Test func `a plugin's check that returns an outcome of send is an error`() throws {
    let site = try TestSite(TestSite.scripted("sent"))
    try site.addFaultyPlugin()
    let run = try site.pabal("check", "--transport", "first")
    #expect(run.status == 74)
    #expect(run.output.contains("“sent”, which only send may report"))
  }
}
