import Foundation
import PabalTesting
import Testing

/// A site with a running `pabal serve` that is called with curl.
final class HTTPTestSite {
  let site: TestSite
  let port: Int
  private let server: InteractiveProcess
  private let log: String

  /// Starts the shipped site, without API keys by default.
  convenience init(
    serve: String = #""keyless": true"#, more: String = "", arguments: [String] = [], timeout: Int = 120,
    shellSetup: String = ":"
  ) throws {
    try self.init(
      TestSite.shipped(with: #""serve": { "listen": "127.0.0.1:0", \#(serve) }"# + more),
      arguments: arguments,
      timeout: timeout, shellSetup: shellSetup)
  }

  /// Starts a site with this configuration. `shellSetup` runs in the shell before `pabal serve`.
  init(
    _ configuration: String, arguments: [String] = [], timeout: Int = 120, shellSetup: String = ":",
    preparing: (TestSite) throws -> Void = { _ in }
  ) throws {
    site = try TestSite(configuration)
    try preparing(site)
    let log = "\(site.directory.path)/log"
    self.log = log
    // The log goes to a file, because a full pipe would block the server.
    server = try InteractiveProcess(
      "/bin/sh",
      ["-c", #"\#(shellSetup); exec "$0" serve "$@" 2>log"#, "\(BuiltProducts.directory)/pabal"] + arguments,
      environment: TestSite.cleanEnvironment.merging(["PABAL_TEST_PATIENCE": "\(timeout)"]) { $1 },
      directory: site.directory.path)
    var logText = ""
    try eventually {
      logText = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      if logText.contains("error:") { throw TestError(logText) }
      return logText.contains("Z listening host=")
    }
    let match = try #require(logText.firstMatch(of: /Z listening host=[^ ]+ port=([0-9]+)/))
    port = try #require(Int(match.1))
  }

  /// The process id of the server.
  var number: Int32 { server.number }

  deinit { server.signal(SIGKILL) }

  /// Stops the server and returns its exit status and log.
  func stop(_ number: Int32 = SIGTERM) throws -> (status: Int32, log: String) {
    server.signal(number)
    let status = try server.finish().status
    return (status, try String(contentsOfFile: log, encoding: .utf8))
  }

  /// A response of the server.
  struct Response {
    let status: Int
    let fields: [String: String]
    let body: String

    /// The body as a JSON object.
    var json: [String: Any] {
      (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:]
    }

    subscript(_ key: String) -> String? { json[key] as? String }

    /// Returns a member of `delivery`.
    func delivery(_ key: String) -> String? { (json["delivery"] as? [String: Any])?[key] as? String }
  }

  /// Sends a request with curl.
  @discardableResult
  func call(
    _ method: String, _ path: String, _ json: String? = nil, _ fields: String...
  ) throws -> Response {
    var arguments = ["-sS", "-i", "--max-time", "60", "http://127.0.0.1:\(port)\(path)"]
    arguments += method == "HEAD" ? ["--head"] : ["-X", method]
    if json != nil { arguments += ["-H", "Content-Type: application/json", "--data-binary", "@-"] }
    for field in fields { arguments += ["-H", field] }
    let run = try ChildProcess.run("curl", arguments, input: Array((json ?? "").utf8))
    guard run.status == 0 else { throw TestError("curl ended with \(run.status): \(run.errors)") }
    let parts = run.output.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    let lines = parts[0].split(separator: "\r\n")
    let status = lines.first?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    var named: [String: String] = [:]
    for line in lines.dropFirst() {
      let pair = line.split(separator: ":", maxSplits: 1)
      named[pair[0].lowercased()] = pair.count > 1 ? pair[1].trimmingCharacters(in: .whitespaces) : ""
    }
    return Response(
      status: try #require(status), fields: named, body: parts.count > 1 ? String(parts[1]) : "")
  }

  /// Starts a verification and waits for the first attempt of its mail.
  func start(_ address: String = TestSite.address) throws -> Response {
    try call("POST", "/v1/verifications", #"{"to": "\#(address)"}"#, "Prefer: wait=20")
  }

  /// Checks a code.
  func check(_ id: String, _ code: String) throws -> Response {
    try call("POST", "/v1/verifications/\(id)/check", #"{"code": "\#(code)"}"#)
  }
}
