import Foundation
import PabalTesting
import Testing

/// Which configuration a caller of `sendmail` may name, who may be a stranger (CVE-2016-10033).
@Suite(.enabled(if: getuid() == 0, "only root can become another user")) struct SendmailConfigurationTests {
  /// A site whose configuration names a command that leaves a mark, and a database that would be a web page.
  private struct Trap {
    let site: TestSite
    var marker: String { "\(site.directory.path)/run" }
    var page: String { "\(site.directory.path)/page.php" }
    var configuration: String { "\(site.directory.path)/config.json" }

    init() throws {
      site = try TestSite(TestSite.shipped)
      try site.directory.write(
        """
        {
          "transport": "file", "transports": { "file": { "plugin": "file", "directory": "mail" } },
          "from": "a@example.com", "storage": { "path": "\(page)" },
          "keys": { "current": { "command": ["/usr/bin/touch", "\(marker)"] } }
        }
        """, to: "config.json")
    }

    /// Runs `sendmail` as the user 65534, with arguments as PHP's mail() passes them.
    func sendmail(_ flags: [String], _ recipients: [String] = ["you@example.com"]) throws -> ChildProcess {
      try ChildProcess.run(
        "setpriv",
        [
          "--reuid=65534", "--regid=65534", "--clear-groups", "\(BuiltProducts.directory)/pabal", "sendmail",
          "-t", "-i", "--socket=\(site.directory.path)/none", "--drop=\(site.directory.path)/none",
          "--config=\(configuration)",
        ] + flags + recipients, input: Array("Subject: hi\n\ntext\n".utf8))
    }

    func expectNothing(_ run: ChildProcess) {
      #expect(!run.output.contains("queued as"), "\(run.output)")
      #expect(run.errors.split(separator: "\n").count <= 1, "\(run.errors)")
      #expect(!FileManager.default.fileExists(atPath: marker))
      #expect(!FileManager.default.fileExists(atPath: page))
    }
  }

  @Test(arguments: [[], ["-v"], ["-bp"], ["-q"], ["-bs"]])
  func `a configuration that the caller owns is not used`(_ flags: [String]) throws {
    let trap = try Trap()
    #expect(try ChildProcess.run("chown", ["-R", "65534:65534", trap.site.directory.path]).status == 0)
    let run = try trap.sendmail(flags)
    // -bs replies to each command, and ends with success.
    #expect(run.status == (flags == ["-bs"] ? 0 : 78), "\(run.output)\(run.errors)")
    #expect(flags == ["-bs"] || run.errors.contains("can replace this file"), "\(run.errors)")
    trap.expectNothing(run)
  }

  @Test(arguments: [[], ["-bp"], ["-q"]])
  func `a configuration that the caller's group can change is not used`(_ flags: [String]) throws {
    let trap = try Trap()
    #expect(chmod(trap.site.directory.path, 0o755) == 0)
    #expect(chown(trap.configuration, 0, 65_534) == 0 && chmod(trap.configuration, 0o664) == 0)
    let run = try trap.sendmail(flags)
    #expect(run.status == 78, "\(run.errors)")
    #expect(run.errors.contains("can change this file"), "\(run.errors)")
    trap.expectNothing(run)
  }

  @Test(arguments: [[], ["-bp"], ["-q"]])
  func `the commands of root's configuration are not run`(_ flags: [String]) throws {
    let trap = try Trap()
    #expect(chmod(trap.site.directory.path, 0o755) == 0 && chmod(trap.configuration, 0o644) == 0)
    let run = try trap.sendmail(flags)
    #expect(run.status == 78, "\(run.errors)")
    #expect(run.errors.contains("runs no command"), "\(run.errors)")
    trap.expectNothing(run)
  }

  @Test func `the flags of the small program are refused`() throws {
    let trap = try Trap()
    for flags in [
      ["--batch=01M5PWP165041061050R3GG28A"], ["-bp", "--failures=x"], ["-bs", "--failures", "x"],
    ] {
      let run = try trap.sendmail(flags)
      #expect(run.status == 64, "\(run.errors)")
      trap.expectNothing(run)
    }
  }
}
