import Foundation

/// A fake authorization server (Tests/Servers/oauth.py), which runs until it is deinitialized.
public final class AuthorizationServer: Sendable {
  /// Its port on 127.0.0.1.
  public let port: Int
  private let process: SpawnedProcess
  private let input: Pipe

  /// The id of the client that the server knows from the start.
  public static let clientID = "fake-client.apps.googleusercontent.com"
  /// The secret of that client.
  public static let clientSecret = "GOCSPX-fake-secret"

  /// Starts a server with these options.
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

  /// Stops the server; its port refuses connections from then on.
  public func stop() {
    process.signal(SIGKILL)
    process.wait()
    try? input.fileHandleForWriting.close()
  }

  /// Returns the URL of a path.
  public func url(_ path: String) -> String { "http://127.0.0.1:\(port)\(path)" }

  /// Changes options of the server.
  public func control(_ options: [String: Any]) throws {
    try control(json: String(decoding: JSONSerialization.data(withJSONObject: options), as: UTF8.self))
  }

  /// Changes options of the server.
  public func control(json: String) throws {
    let result = try ChildProcess.run(
      "curl", ["-sf", "-H", "Content-Type: application/json", "--data-binary", "@-", url("/control")],
      input: Array(json.utf8))
    guard result.status == 0 else { throw POSIXError(.EIO) }
  }

  /// Returns the forms or queries of all requests to `path`, in order.
  public func requests(_ path: String) throws -> [[String: String]] {
    let result = try ChildProcess.run("curl", ["-sf", url("/log")])
    let log = try JSONSerialization.jsonObject(with: Data(result.bytes)) as? [[String: Any]] ?? []
    return log.filter { $0["path"] as? String == path }.compactMap {
      ($0["form"] ?? $0["query"]) as? [String: String]
    }
  }

  /// Returns a `credentials.json` for this server's client.
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

  /// Logs a user in with Google's library and returns the token file that it writes.
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

/// Google's Python libraries.
public enum GooglePython {
  private static let interpreter: Result<String, any Error> = Result {
    let result = try ChildProcess.run("\(BuiltProducts.root)/Tests/python-environment")
    guard result.status == 0 else { throw PythonError(text: result.errors) }
    return result.output.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// The error of a failed script.
  public struct PythonError: Error, CustomStringConvertible {
    let text: String
    /// The standard error of the script.
    public var description: String { text }
  }

  /// Runs Python with Google's libraries and returns its output.
  public static func python(_ arguments: [String]) throws -> String {
    let result = try ChildProcess.run(interpreter.get(), arguments)
    guard result.status == 0 else { throw PythonError(text: result.errors) }
    return result.output
  }
}
