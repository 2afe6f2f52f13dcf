import Foundation
import PabalTesting
import Testing

/// Which configuration a caller of `sendmail` may name, who may be a stranger (CVE-2016-10033).
@Suite struct SendmailConfigurationTests {
  @Test(
    .enabled(if: getuid() == 0, "only root can become another user"),
    arguments: [[], ["-bp"], ["-q"], ["-bs"]])
  func `a configuration that the caller owns is not used`(_ flags: [String]) throws {
    let site = try TestSite(TestSite.shipped)
    let marker = "\(site.directory.path)/run"
    try site.directory.write(
      """
      {
        "transport": "file", "transports": { "file": { "plugin": "file", "directory": "mail" } },
        "from": "a@example.com", "storage": { "path": "\(site.directory.path)/page.php" },
        "keys": { "current": { "command": ["/usr/bin/touch", "\(marker)"] } }
      }
      """, to: "config.json")
    let own = try ChildProcess.run("chown", ["-R", "65534:65534", site.directory.path])
    #expect(own.status == 0)
    let run = try ChildProcess.run(
      "setpriv",
      [
        "--reuid=65534", "--regid=65534", "--clear-groups", "\(BuiltProducts.directory)/pabal", "sendmail",
        "--socket=\(site.directory.path)/none", "--drop=\(site.directory.path)/none",
        "--config=\(site.directory.path)/config.json", "-i",
      ] + flags + ["you@example.com"], input: Array("Subject: hi\n\ntext\n".utf8))
    // -bs replies to each command, and ends with success.
    #expect(flags == ["-bs"] || run.status != 0, "\(run.output)\(run.errors)")
    #expect(!run.output.contains("queued"), "\(run.output)")
    #expect(flags == ["-bs"] || run.errors.contains("can replace this file"), "\(run.errors)")
    #expect(!FileManager.default.fileExists(atPath: marker))
    #expect(!FileManager.default.fileExists(atPath: "\(site.directory.path)/page.php"))
  }
}
