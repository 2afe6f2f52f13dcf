import Foundation
import PabalTesting
import Testing

/// Unusable files, disks and terminals: one error, no crash, no secret shown, no data lost.
@Suite struct HostileEnvironmentTests {
  /// Scripts that create an unusable file at the path `$0`, and the error.
  static let malformedFiles: [(name: String, script: String, error: String)] = [
    ("an empty file", ": > $0; chmod 600 $0", "isn't valid JSON"),
    ("an array", "echo '[\"hunter2\"]' > $0; chmod 600 $0", "contains a list"),
    (
      "a byte order mark and an empty object", #"printf '\357\273\277{}' > $0; chmod 600 $0"#,
      "contains neither"
    ),
    ("UTF-16", #"printf '\377\376{\0}\0' > $0; chmod 600 $0"#, "isn't valid JSON"),
    ("a NUL", #"printf '{"hunter2":\0}' > $0; chmod 600 $0"#, "isn't valid JSON"),
    (
      "a hundred thousand levels", "head -c 100000 /dev/zero | tr '\\0' '[' > $0; chmod 600 $0",
      "isn't valid JSON"
    ),
    ("a gigabyte of zeros", "truncate -s 1G $0; chmod 600 $0", "larger than 262144 bytes"),
    ("a folder", "mkdir $0", "a directory, not a file"),
    ("a pipe without a writer", "mkfifo -m 600 $0", "not a regular file"),
    ("a link to itself", "ln -s $0 $0", "Too many levels of symbolic links"),
    ("a link to an endless device", "ln -s /dev/zero $0", "/"),
    ("a file that others can read", "echo '{\"hunter2\": 1}' > $0; chmod 644 $0", "chmod 600"),
  ]

  private func createFile(_ script: String, at path: String) throws {
    try? FileManager.default.removeItem(atPath: path)
    let run = try ChildProcess.run("/bin/sh", ["-c", script, path])
    #expect(run.status == 0, "\(run.errors)")
  }

  @Test(arguments: 0..<malformedFiles.count)
  func `an unusable credentials.json is reported and leaves the tokens alone`(number: Int) throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    let end = try site.logIn()
    #expect(end.status == 0, "\(end.errors)")
    let before = try Data(contentsOf: URL(filePath: site.tokenFile))
    let malformed = Self.malformedFiles[number]
    try createFile(malformed.script, at: "\(site.path)/credentials.json")
    for command in ["login", "logout"] {
      let run = try site.site.pabal("account", command, command == "logout" ? "--only-here" : "--no-browser")
      guard command == "login" else {
        // Removing tokens needs no client.
        #expect(run.status == 0)
        continue
      }
      #expect(run.status == 77)
      #expect(run.errors.contains(malformed.error), "\(run.errors)")
      #expect(run.errors.split(separator: "\n").count == 1)
      #expect(!run.errors.contains("hunter2"))
      #expect(try Data(contentsOf: URL(filePath: site.tokenFile)) == before)
    }
  }

  // An empty token file is that of an account without a login.
  @Test(arguments: 1..<malformedFiles.count)
  func `an unusable token file is reported and kept`(number: Int) throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(
      server, transport: "gmail",
      transports: #""gmail": { "plugin": "gmail", "account": "google", "endpoint": "http://127.0.0.1:9" }"#)
    try FileManager.default.createDirectory(
      atPath: "\(site.path)/tokens", withIntermediateDirectories: false,
      attributes: [.posixPermissions: 0o700])
    let malformed = Self.malformedFiles[number]
    try createFile(malformed.script, at: site.tokenFile)
    for arguments in [
      ["account", "status"], ["account", "login", "--no-browser"], ["check"],
      ["send", "bob@example.net", "--subject", "x", "--text", "y"],
    ] {
      let run = try ChildProcess.run(
        "\(BuiltProducts.directory)/pabal", arguments, directory: site.path)
      #expect(run.status == 77, "\(arguments)")
      let transcript = run.output + run.errors
      #expect(transcript.contains(site.tokenFile), "\(arguments): \(transcript)")
      #expect(!transcript.contains("hunter2"))
    }
    // The file wasn't removed.
    #expect((try? FileManager.default.attributesOfItem(atPath: site.tokenFile)) != nil)
    #expect(try server.requests("/token").isEmpty)
  }

  private static let canMount =
    (try? ChildProcess.run("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).status) == 0

  @Test(.enabled(if: canMount, "needs to mount a small disk"))
  func `on a full disk no login starts, and renewed tokens overwrite the file in place`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    let pabal = "\(BuiltProducts.directory)/pabal"
    // The disk is mounted only for this command.
    func onDisk(_ script: String) throws -> ChildProcess {
      try ChildProcess.run(
        "unshare",
        [
          "-m", "sh", "-c", "mkdir -p tokens && mount -t tmpfs -o size=32k,mode=700 none tokens && \(script)",
          pabal,
        ],
        environment: ["PABAL_CONFIG": nil], directory: site.path)
    }
    let full = try onDisk("head -c 32768 /dev/zero > tokens/fill; \"$0\" account login --no-browser")
    #expect(full.status == 77)
    #expect(full.errors.contains("\(site.tokenFile) can't be written: No space left on device"))
    #expect(try server.requests("/o/oauth2/auth").isEmpty)

    #expect(try site.logIn().status == 0)
    try server.control(["rotate": true, "reuse_ends": true])
    try site.change("expiry", "2020-01-01T00:00:00Z")
    try FileManager.default.copyItem(atPath: site.tokenFile, toPath: "\(site.path)/kept.json")
    let renewed = try onDisk(
      """
      cp kept.json tokens/google.json && { head -c 32768 /dev/zero > tokens/fill; "$0" check && "$0" check; } && \
      ls -A tokens
      """)
    #expect(renewed.status == 0, "\(renewed.output)\(renewed.errors)")
    #expect(!renewed.output.contains("renewed tokens"))
    #expect(renewed.output.hasSuffix("fill\ngoogle.json\ngoogle.json.lock\n"))

    let readOnly = try onDisk("mount -o remount,ro tokens && \"$0\" account login --no-browser")
    #expect(readOnly.status == 77)
    #expect(readOnly.errors.contains("\(site.tokenFile) can't be written: Read-only file system"))
    let status = try onDisk(
      "cp kept.json tokens/google.json && mount -o remount,ro tokens && \"$0\" account status")
    #expect(status.status == 0)
    #expect(
      status.output.contains(
        "note: renewed tokens would be lost when the process ends: \(site.tokenFile) can't be written: Read-only"
      )
    )
  }

  private static let canLoseLoopback =
    (try? ChildProcess.run("unshare", ["-n", "ip", "addr", "add", "127.0.0.1/8", "dev", "lo"]).status) == 0

  @Test(.enabled(if: canLoseLoopback, "needs a network of its own"))
  func `login reports a machine without 127.0.0.1`() throws {
    let site = try AccountSite(try AuthorizationServer())
    let run = try ChildProcess.run(
      "unshare",
      [
        "-n", "sh", "-c",
        "ip link set lo up; ip addr flush dev lo; ip route flush table local; ip -6 addr add ::1/128 dev lo; \"$0\" account login --no-browser",
        "\(BuiltProducts.directory)/pabal",
      ], directory: site.path)
    #expect(run.status == 77, "\(run.errors)")
    #expect(run.errors.contains("this machine has no 127.0.0.1 for the browser to return to"))
  }

  @Test func `login ignores a closed or endless standard input`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(server)
    for input in ["<&-", "</dev/zero", "</dev/urandom"] {
      let login = try InteractiveProcess(
        "/bin/sh",
        ["-c", "exec \"$0\" account login --no-browser \(input)", "\(BuiltProducts.directory)/pabal"],
        environment: ["PABAL_CONFIG": nil], directory: site.path)
      let address = try AccountSite.address(in: login.transcript(until: "press Return:"))
      #expect(try AccountSite.open(address).contains("You are logged in"))
      #expect(try login.finish().status == 0)
    }
  }

  @Test func `a logout during renewals leaves no token behind`() throws {
    let server = try AuthorizationServer()
    let site = try AccountSite(
      server, transport: "gmail",
      transports: #""gmail": { "plugin": "gmail", "account": "google", "endpoint": "http://127.0.0.1:9" }"#)
    #expect(try site.logIn().status == 0)
    // Each check renews the token, some of them during the logout.
    let checks = try (0..<8).map { _ in try site.start("check", "--json") }
    let logout = try site.start("account", "logout", "--yes")
    #expect(try logout.finish().status == 0)
    for check in checks { _ = try check.finish() }
    #expect(!FileManager.default.fileExists(atPath: site.tokenFile))
    let status = try site.site.pabal("account", "status")
    #expect(status.status == 77)
    #expect(status.output.contains("not logged in yet"))
  }
}
