import Foundation
import PabalTesting
import Testing

/// A site with a running `pabal serve` that accepts mail by SMTP. Its directory has the files of `certificates` in
/// `Tests/Servers/submission_sessions.py`.
final class ListenerSite {
  static let password = "correct horse battery"

  let site: TestSite
  /// The fingerprints of `client.pem` and `stranger.pem`.
  let fingerprints: [String: String]
  private let server: InteractiveProcess

  /// Starts the shipped site with this text as `serve`, in which `USERS`, `HASH`, `FILES` and the names of certificates are
  /// replaced. `transports` and `more` are more members of `transports` and of the file.
  init(_ serve: String, listeners: Int = 1, transports: String = "", more: String = "") throws {
    site = try TestSite()
    let fingerprints = try Self.result(Self.client(site, "certificates", []))
    self.fingerprints = fingerprints.compactMapValues { $0 as? String }
    var text = serve.replacing(
      "USERS", with: #""users": { "printer": { "password": "\#(try Self.hash())" } }"#
    )
    .replacing("FILES", with: #""certificate": "server.pem", "key": "server.key""#)
    if text.contains("HASH") { text = text.replacing("HASH", with: try Self.hash()) }
    for (name, digest) in self.fingerprints { text = text.replacing("SHA-\(name)", with: "sha256:\(digest)") }
    let configuration = TestSite.shipped(with: #""serve": \#(text)"# + more)
    try site.directory.write(
      configuration.replacing(#""console":"#, with: transports + #""console":"#), to: "config.json")
    // The log goes to a file, because a full pipe would block the server.
    server = try InteractiveProcess(
      "/bin/sh", ["-c", #"exec "$0" serve 2>log"#, "\(BuiltProducts.directory)/pabal"],
      environment: TestSite.cleanEnvironment.merging(["PABAL_TEST_PATIENCE": "120"]) { $1 },
      directory: site.directory.path)
    try eventually {
      let log = self.log
      if log.contains("error:") { throw TestError(log) }
      return log.matches(of: /submission listening/).count >= listeners
    }
  }

  deinit { server.signal(SIGKILL) }

  /// A cheap hash of the password, by another implementation of scrypt.
  static func hash() throws -> String {
    let script =
      "import hashlib; print('scrypt:4:8:1:' + b'0123456789abcdef'.hex() + ':' "
      + "+ hashlib.scrypt(b'\(password)', salt=b'0123456789abcdef', n=16, r=8, p=1, dklen=32).hex())"
    return try ChildProcess.run("python3", ["-c", script]).output.trimmingCharacters(in: .newlines)
  }

  /// The process id of the server.
  var number: Int32 { server.number }

  /// The log so far.
  var log: String { (try? String(contentsOfFile: "\(site.directory.path)/log", encoding: .utf8)) ?? "" }

  /// The ports of the listeners, in their order.
  var ports: [Int] {
    log.matches(of: /submission listening host=[^ ]+ port=([0-9]+)/).compactMap { Int($0.1) }
  }

  /// Runs a case of `submission_sessions.py` against a listener and returns its result.
  func run(_ name: String, _ more: String..., listener: Int = 0) throws -> [String: Any] {
    try Self.result(
      Self.client(site, name, ["port=\(ports[listener])", "password=\(Self.password)"] + more))
  }

  /// Starts a case that waits for the test.
  func start(_ name: String) throws -> InteractiveProcess {
    try InteractiveProcess(
      "/usr/bin/env",
      [
        "python3", "\(BuiltProducts.root)/Tests/Servers/submission_sessions.py", name, "port=\(ports[0])",
        "password=\(Self.password)",
      ],
      directory: site.directory.path)
  }

  private static func client(_ site: TestSite, _ name: String, _ more: [String]) throws -> ChildProcess {
    try ChildProcess.run(
      "python3", ["\(BuiltProducts.root)/Tests/Servers/submission_sessions.py", name] + more,
      directory: site.directory.path)
  }

  private static func result(_ run: ChildProcess) throws -> [String: Any] {
    guard run.status == 0 else { throw TestError(run.errors) }
    return try run.json
  }

  /// Waits until the log contains `text`.
  func logged(_ text: String) throws { try eventually { self.log.contains(text) } }

  /// Stops the server and returns its exit status.
  func stop() throws -> Int32 {
    server.signal(SIGTERM)
    return try server.finish().status
  }
}
