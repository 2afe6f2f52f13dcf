import Foundation
import PabalTesting
import Synchronization
import Testing

@testable import PabalAccounts

@Suite struct ConcurrentRefreshTests {
  private let tokenClient = "\(BuiltProducts.directory)/token-client"

  /// Creates a folder with a configuration, a client and an expired login.
  private func loggedIn(to server: AuthorizationServer) throws -> TemporaryDirectory {
    let folder = try TemporaryDirectory()
    let expired = try server.googleToken(in: folder).replacing(
      #/"expiry": "[^"]*"/#, with: #""expiry": "2020-01-01T00:00:00Z""#)
    try TestAccount.write(expired, to: "tokens/a.json", in: folder)
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    try folder.write(
      """
      {"transport": "t", "transports": {"t": {"plugin": "smtp", "account": "a"}}, "from": "a@example.com",
       "accounts": {"a": {"user": "user@example.com", "provider": "google", "client": "credentials.json"}}}
      """, to: "config.json")
    return folder
  }

  /// Runs several token clients at once and returns their output lines.
  private func ask(
    _ folder: TemporaryDirectory, processes: Int, threads: Int, _ more: [String] = []
  ) throws -> [String] {
    let input = (0..<processes).map { "\($0)\n" }.joined()
    let arguments = [
      "-P", "\(processes)", "-n", "1", tokenClient, "\(folder.path)/config.json", "a", "\(threads)",
    ]
    let run = try ChildProcess.run("xargs", arguments + more, input: Array(input.utf8))
    return run.output.split(separator: "\n").map(String.init)
  }

  @Test func `fifty processes with four threads each make one renewal`() throws {
    let server = try AuthorizationServer()
    let folder = try loggedIn(to: server)
    let lines = try ask(folder, processes: 50, threads: 4)
    #expect(lines.count == 200)
    #expect(lines.allSatisfy { $0.hasPrefix("token ") })
    #expect(Set(lines).count == 1)
    #expect(try server.requests("/token").count == 2)  // the login's and one renewal
    #expect(
      try StoredToken(SecretDocument.read("\(folder.path)/tokens/a.json", as: "token file")).refreshToken
        != nil)
  }

  @Test func `a hundred threads whose token is rejected make one renewal`() throws {
    let server = try AuthorizationServer()
    let folder = try loggedIn(to: server)
    let lines = try ask(folder, processes: 1, threads: 100, ["--rejected"])
    #expect(lines.count == 100)
    #expect(Set(lines).count == 1)
    #expect(try server.requests("/token").count == 3)  // the login's, the first token's, and one for all
  }

  @Test func `an expired login causes one request, however many threads need a token`() throws {
    let server = try AuthorizationServer([
      "dead": ["error": "invalid_grant", "description": "Token has been expired or revoked."]
    ])
    let folder = try loggedIn(to: server)
    let lines = try ask(folder, processes: 12, threads: 4)
    #expect(lines.count == 48)
    #expect(lines.allSatisfy { $0.contains("Google ended the login") })
    #expect(try server.requests("/token").count == 2)
  }

  /// Kills the process at each system call with which a renewal changes files.
  @Test(
    .enabled(
      if: (try? ChildProcess.run("strace", ["-f", "true"]).status) == 0, "strace must be allowed to trace"),
    arguments: ["unlink", "openat", "fchmod", "pwrite64", "ftruncate", "fsync", "rename", "flock"])
  func `the token file is intact after a kill at any moment`(call: String) throws {
    let server = try AuthorizationServer()
    let folder = try loggedIn(to: server)
    let path = "\(folder.path)/tokens/a.json"
    let before = try StoredToken(SecretDocument.read(path, as: "token file"))
    var kills = 0
    // openat also loads libraries, so a sample of all its calls is killed.
    let calls = call == "openat" ? Array(stride(from: 1, through: 91, by: 6)) : Array(1...4)
    for number in calls {
      let run = try ChildProcess.run(
        "strace",
        [
          "-f", "-qq", "-o", "/dev/null", "-e", "trace=\(call)", "-e",
          "inject=\(call):signal=SIGKILL:when=\(number)",
          tokenClient, "\(folder.path)/config.json", "a", "1",
        ])
      if run.status != 0 { kills += 1 }
      let after = try StoredToken(SecretDocument.read(path, as: "token file"))
      #expect(after.refreshToken == before.refreshToken)
      #expect(after.accessToken?.isEmpty == false)
    }
    #expect(kills > 0)
    // The leftovers of a killed process don't disturb others.
    let last = try ChildProcess.run(tokenClient, ["\(folder.path)/config.json", "a", "1"])
    #expect(last.output.hasPrefix("token "))
    let left = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/tokens").sorted()
    #expect(left.filter { $0 != ".a.json.new" } == ["a.json", "a.json.lock"])
  }

  @Test(
    .enabled(
      if: (try? ChildProcess.run("strace", ["-f", "true"]).status) == 0, "strace must be allowed to trace"),
    arguments: ["ENOLCK", "EOPNOTSUPP", "EIO"])
  func `a token file that can't be locked is an error, and no token is renewed`(error: String) throws {
    let server = try AuthorizationServer()
    let folder = try loggedIn(to: server)
    let before = try server.requests("/token").count
    let run = try ChildProcess.run(
      "strace",
      [
        "-f", "-qq", "-o", "/dev/null", "-e", "trace=flock", "-e", "inject=flock:error=\(error)",
        tokenClient, "\(folder.path)/config.json", "a", "1",
      ])
    #expect(run.output.contains(#/tokens/a.json can\\?'t be locked: /#), "\(run.output) \(run.errors)")
    #expect(run.output.contains("flock(2)"))
    #expect(try server.requests("/token").count == before)
  }
}
