import Foundation

/// Tests/Servers/oauth.py, running until it is let go.
public final class AuthorizationServer: Sendable {
  /// Its port on 127.0.0.1.
  public let port: Int
  private let process: SpawnedProcess
  private let input: Pipe

  /// The client it knows from the start.
  public static let clientID = "fake-client.apps.googleusercontent.com"
  /// That client's secret.
  public static let clientSecret = "GOCSPX-fake-secret"

  /// Starts one, with these options of its own.
  public init(_ options: [String: Any] = [:]) throws {
    input = Pipe()
    let output = Pipe()
    process = try SpawnedProcess(
      "python3", ["\(BuiltProducts.root)/Tests/Servers/oauth.py"], input: .pipe(input),
      output: .pipe(output))
    guard let port = Int(output.firstLine()) else { throw TestError("oauth.py did not start") }
    self.port = port
    if !options.isEmpty { try control(options) }
  }

  deinit { stop() }

  /// Ends it; its port refuses from now on.
  public func stop() {
    process.signal(SIGKILL)
    process.wait()
    try? input.fileHandleForWriting.close()
  }

  /// The URL of one of its paths.
  public func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

  /// Changes how it behaves.
  public func control(_ options: [String: Any]) throws {
    try control(json: String(decoding: JSONSerialization.data(withJSONObject: options), as: UTF8.self))
  }

  /// Changes how it behaves.
  public func control(json: String) throws {
    let result = try ChildProcess.run(
      "curl", ["-sf", "-H", "Content-Type: application/json", "--data-binary", "@-", url("/control")],
      input: Array(json.utf8))
    guard result.status == 0 else { throw POSIXError(.EIO) }
  }

  /// What was asked of `path`, the forms or queries in order.
  public func requests(_ path: String) throws -> [[String: String]] {
    let result = try ChildProcess.run("curl", ["-sf", url("/log")])
    let log = try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [[String: Any]] ?? []
    return log.filter { $0["path"] as? String == path }.compactMap {
      ($0["form"] ?? $0["query"]) as? [String: String]
    }
  }

  /// A `credentials.json` of this server's client.
  public func clientFile(
    _ kind: String = "installed", secret: String = clientSecret, redirects: [String] = ["http://localhost"]
  )
    -> String
  {
    """
    {"\(kind)": {"client_id": "\(Self.clientID)", "project_id": "fake", "auth_uri": "\(url("/o/oauth2/auth"))",
      "token_uri": "\(url("/token"))", "client_secret": "\(secret)",
      "redirect_uris": [\(redirects.map { "\"\($0)\"" }.joined(separator: ", "))]}}
    """
  }

  /// Logs a user in by Google's own library and answers the token file that it writes.
  public func googleToken(scopes: [String] = ["https://mail.google.com/"], in folder: TemporaryDirectory)
    throws
    -> String
  {
    let client = try folder.write(clientFile(), to: "google-client.json")
    let script = """
      import sys, urllib.parse, urllib.request, os
      os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
      from google_auth_oauthlib.flow import InstalledAppFlow
      class NoRedirect(urllib.request.HTTPRedirectHandler):
          def redirect_request(self, *arguments): return None
      flow = InstalledAppFlow.from_client_secrets_file(sys.argv[1], sys.argv[2].split())
      flow.redirect_uri = "http://127.0.0.1:1/"
      url, _ = flow.authorization_url(access_type="offline", prompt="consent")
      try:
          urllib.request.build_opener(NoRedirect).open(url)
      except urllib.error.HTTPError as answer:
          flow.fetch_token(authorization_response=answer.headers["Location"])
      print(flow.credentials.to_json())
      """
    let result = try GooglePython.python(["-c", script, client, scopes.joined(separator: " ")])
    return result
  }
}

/// Google's own libraries.
public enum GooglePython {
  private static let interpreter: Result<String, any Error> = Result {
    let result = try ChildProcess.run("\(BuiltProducts.root)/Tests/python-environment")
    guard result.status == 0 else { throw PythonError(text: result.errors) }
    return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// Why a script failed.
  public struct PythonError: Error, CustomStringConvertible {
    let text: String
    /// What it said.
    public var description: String { text }
  }

  /// What a Python script beside them prints.
  public static func python(_ arguments: [String]) throws -> String {
    let result = try ChildProcess.run(interpreter.get(), arguments)
    guard result.status == 0 else { throw PythonError(text: result.errors) }
    return result.output
  }
}
