import Foundation
import PabalTesting
import Testing

/// A site with `pabal serve` running, called by curl.
final class HTTPTestSite {
  let site: TestSite
  let port: Int
  private let server: InteractiveProcess
  private let log: String

  /// The shipped site that takes callers without a key, whose messages have one without a code.
  convenience init(
    serve: String = #""keyless": true"#, more: String = "", arguments: [String] = [], timeout: Int = 120,
    shellSetup: String = ":"
  ) throws {
    try self.init(
      TestSite.shipped(with: #""serve": { "listen": "127.0.0.1:0", \#(serve) }"# + more),
      arguments: arguments,
      timeout: timeout, shellSetup: shellSetup)
  }

  /// A site with this configuration, which listens on a port that the system chooses; served `shellSetup` the shell did
  /// that.
  init(
    _ configuration: String, arguments: [String] = [], timeout: Int = 120, shellSetup: String = ":",
    preparing: (TestSite) throws -> Void = { _ in }
  ) throws {
    site = try TestSite(configuration)
    try preparing(site)
    let log = "\(site.directory.path)/log"
    self.log = log
    // To a file: a log that nobody reads must not hold the service up.
    server = try InteractiveProcess(
      "/bin/sh",
      ["-c", #"\#(shellSetup); exec "$0" serve "$@" 2>log"#, "\(BuiltProducts.directory)/pabal"] + arguments,
      environment: [
        "PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil, "PABAL_PLUGIN_PATH": nil,
        "PABAL_TEST_PATIENCE": "\(timeout)",
      ], directory: site.directory.path)
    var logText = ""
    try eventually {
      logText = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      if logText.contains("error:") { throw TestError(logText) }
      return logText.contains(" listening ")
    }
    let match = try #require(logText.firstMatch(of: /listening host=[^ ]+ port=([0-9]+)/))
    port = try #require(Int(match.1))
  }

  /// The number of its process.
  var number: Int32 { server.number }

  deinit { server.signal(SIGKILL) }

  /// Stops it; gives its exit status and its log.
  func stop(_ number: Int32 = SIGTERM) throws -> (status: Int32, log: String) {
    server.signal(number)
    let status = try server.finish().status
    return (status, try String(contentsOfFile: log, encoding: .utf8))
  }

  /// What the service answered.
  struct Response {
    let status: Int
    let fields: [String: String]
    let body: String

    /// The body as a JSON object.
    var json: [String: Any] {
      (try? JSONSerialization.jsonObject(with: Data(body.utf8))) as? [String: Any] ?? [:]
    }

    subscript(_ key: String) -> String? { json[key] as? String }

    /// A member of `delivery`.
    func delivery(_ key: String) -> String? { (json["delivery"] as? [String: Any])?[key] as? String }
  }

  /// One request by curl.
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

  /// Starts a verification and waits for its mail's first attempt.
  func start(_ address: String = TestSite.address) throws -> Response {
    try call("POST", "/v1/verifications", #"{"to": "\#(address)"}"#, "Prefer: wait=20")
  }

  /// Checks a code.
  func check(_ id: String, _ code: String) throws -> Response {
    try call("POST", "/v1/verifications/\(id)/check", #"{"code": "\#(code)"}"#)
  }
}
