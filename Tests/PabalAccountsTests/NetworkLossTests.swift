import Foundation
import Glibc
import PabalCore
import PabalTesting
import Testing

@testable import PabalAccounts

/// Network failures at each step of each flow are reported, and nothing stored is lost.
@Suite struct NetworkLossTests {
  /// Faults of the server or the network, and their errors. Each occurs three times, as often as Pabal tries.
  static let losses: [(fault: String, error: String)] = [
    (#"{"drop": true}"#, "the connection to 127.0.0.1 failed"),
    (#"{"cut": true}"#, "the connection to 127.0.0.1 failed"),
    (#"{"status": 503}"#, "127.0.0.1 can't issue a token at the moment: status 503"),
    (
      #"{"status": 200, "kind": "text/html", "body": "<html>Welcome to the hotel"}"#,
      "the response of 127.0.0.1 isn't JSON"
    ),
  ]

  private func control(_ server: AuthorizationServer, _ fault: String, at path: String) throws {
    try server.control(json: #"{"faults_at": {"\#(path)": [\#(fault), \#(fault), \#(fault)]}}"#)
  }

  private func loggedIn(_ server: AuthorizationServer) throws -> TestAccount {
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(#""provider": "google", "client": "credentials.json""#, in: folder)
    _ = try TestLogin(test).result.get()
    return test
  }

  @Test(arguments: 0..<losses.count)
  func `a failure at the code exchange is reported`(number: Int) throws {
    let server = try AuthorizationServer()
    let test = try loggedIn(server)
    let before = try test.file()
    let (fault, error) = Self.losses[number]
    try server.control(json: #"{"faults": [\#(fault), \#(fault), \#(fault)]}"#)
    let login = TestLogin(test)
    #expect(login.failure.contains(error), "\(login.failure)")
    #expect(login.page.contains("The login failed"))
    #expect(!login.page.contains("hotel"))
    #expect(try test.file() == before)
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
  }

  @Test(arguments: 0..<losses.count)
  func `a failed renewal is deferred and noted`(number: Int) throws {
    let server = try AuthorizationServer()
    let test = try loggedIn(server)
    let before = try test.file()
    test.time.advance(.seconds(3600))
    let (fault, error) = Self.losses[number]
    try server.control(json: #"{"faults": [\#(fault), \#(fault), \#(fault)]}"#)
    #expect(try test.problem().deferred.contains(error))
    #expect(try test.file() == before)
    let status = test.account.status()
    #expect(status.state == .fresh)
    #expect(status.notes.contains { $0.contains(error) })
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
    #expect(test.account.status().notes == [])
  }

  @Test(arguments: 0..<losses.count)
  func `a failed request for a device code is reported`(number: Int) throws {
    let server = try AuthorizationServer(["clients": ["app-id": NSNull()]])
    let test = try device(server)
    let (fault, error) = Self.losses[number]
    try control(server, fault, at: "/t/oauth2/v2.0/devicecode")
    #expect(TestLogin(test).failure.contains(error))
    #expect(throws: Never.self) { try TestLogin(test).result.get() }
  }

  @Test(arguments: 0..<losses.count)
  func `polling for a device login continues after a failure`(number: Int) throws {
    let server = try AuthorizationServer(["clients": ["app-id": NSNull()]])
    let test = try device(server)
    let (fault, _) = Self.losses[number]
    try server.control(json: #"{"faults": [\#(fault), \#(fault), \#(fault), \#(fault)]}"#)
    #expect(throws: Never.self) { try TestLogin(test).result.get() }
  }

  @Test func `a device login ends when the code expires during a network failure`() throws {
    let server = try AuthorizationServer(["clients": ["app-id": NSNull()]])
    let test = try device(server)
    try server.control(
      json: #"{"faults": [\#(Array(repeating: #"{"drop": true}"#, count: 900).joined(separator: ","))]}"#)
    #expect(TestLogin(test).failure.contains("the code expired before it was entered"))
  }

  @Test(arguments: 0..<3)
  func `a failed logout keeps the token file`(number: Int) throws {
    let server = try AuthorizationServer()
    let test = try loggedIn(server)
    let before = try test.file()
    let (fault, error) = Self.losses[number]
    try control(server, fault, at: "/revoke")
    let problem = try #require(throws: AccountError.self) { try test.account.logOut() }
    #expect(problem.diagnostic.message.contains("the login wasn't revoked, so its file is kept: \(error)"))
    #expect(problem.diagnostic.remedy?.contains("--only-here") == true)
    #expect(try test.file() == before)
    #expect(throws: Never.self) { try test.account.accessToken(rejected: nil) }
    #expect(try test.account.logOut() == .revoked)
  }

  @Test func `broken and idle connections don't disturb a login`() throws {
    let server = try AuthorizationServer()
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(#""provider": "google", "client": "credentials.json""#, in: folder)
    let login = TestLogin(test) { url, port in
      let back = try TestLogin.redirect(url)
      let target = back.split(separator: "/", maxSplits: 2).last ?? ""
      // Half a request with FIN, half a request with RST, a complete request with RST.
      for (bytes, resets) in [
        ("GET /?code=4/0Ahalf", false), ("GET /\(target.prefix(40))", true),
        ("GET /favicon.ico HTTP/1.1\r\nHost: x\r\n\r\n", true),
      ] {
        let socket = try Self.connected(to: port)
        _ = bytes.withCString { send(socket, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
        if resets {
          var linger = linger(l_onoff: 1, l_linger: 0)
          setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        }
        close(socket)
      }
      // More idle connections than are kept.
      let silent = try (0..<40).map { _ in try Self.connected(to: port) }
      defer { for socket in silent { close(socket) } }
      return [try TestLogin.open(back)]
    }
    #expect(throws: Never.self) { try login.result.get() }
    #expect(login.page.contains("You are logged in"))
  }

  @Test func `a login succeeds even if the browser disconnects before the response`() throws {
    let server = try AuthorizationServer()
    let folder = try TemporaryDirectory()
    try TestAccount.write(server.clientFile(), to: "credentials.json", in: folder)
    let test = try TestAccount(#""provider": "google", "client": "credentials.json""#, in: folder)
    let login = TestLogin(test) { url, port in
      let back = try TestLogin.redirect(url)
      let request =
        "GET /\(back.split(separator: "/", maxSplits: 2).last?.drop { $0 != "?" } ?? "") HTTP/1.1\r\n\r\n"
      let socket = try Self.connected(to: port)
      _ = request.withCString { send(socket, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
      var linger = linger(l_onoff: 1, l_linger: 0)
      setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
      close(socket)
      return []
    }
    #expect(throws: Never.self) { try login.result.get() }
    #expect(test.account.status().state == .fresh)
  }

  private func device(_ server: AuthorizationServer) throws -> TestAccount {
    try TestAccount(
      """
      "provider": "microsoft", "tenant": "t", "authority": "\(server.url(""))", "client_id": "app-id", "flow": "device"
      """, in: TemporaryDirectory())
  }

  private static func connected(to port: UInt16) throws -> Int32 {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw TestError("can't connect to the login's port") }
    return socket
  }
}
