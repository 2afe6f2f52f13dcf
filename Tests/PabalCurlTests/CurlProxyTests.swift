import Foundation
import PabalTesting
import Testing

@testable import PabalCurl

/// Connections through a real proxy to a server with TLS.
@Suite struct CurlProxyTests {
  private static let server = "https://server.pabal.test"

  /// Connects to the server through a proxy on `port` and returns its error.
  private func problem(_ port: Int, user: String? = nil, password: String? = nil) throws -> (
    CurlError?, CurlProxy
  ) {
    let proxy = CurlProxy(host: "127.0.0.1", port: UInt16(port), user: user, password: password)
    let handle = try CurlHandle(protocols: "https")
    try handle.set(.url, Self.server)
    try handle.set(.connectOnly, true)
    try handle.setTrustRoots(.only(file: try TestAuthority.shared.get().authority, directory: nil))
    try handle.setProxy(proxy)
    do throws(CurlError) {
      try handle.perform()
      return (nil, proxy)
    } catch {
      return (error, proxy)
    }
  }

  @Test func `a tunnel is opened, TLS is with the server, and no_proxy of the environment has no say`()
    async throws
  {
    await #expect(processExitsWith: .success) {
      for name in ["no_proxy", "NO_PROXY"] { setenv(name, "*", 1) }
      setenv("https_proxy", "http://127.0.0.1:1", 1)
      let server = try TLSEchoServer()
      let proxy = try ConnectProxy(to: server.port)
      let (error, _) = try CurlProxyTests().problem(proxy.port)
      #expect(error == nil)
      #expect(try proxy.requests().map(\.request) == ["CONNECT server.pabal.test:443 HTTP/1.1"])
    }
  }

  @Test func `the user and the password are for the proxy only`() throws {
    let server = try TLSEchoServer()
    let proxy = try ConnectProxy(to: server.port, login: "me@corp:p:w")
    let (error, _) = try problem(proxy.port, user: "me@corp", password: "p:w")
    #expect(error == nil)
    #expect(try proxy.requests().last?.fields["proxy-authorization"] == "Basic bWVAY29ycDpwOnc=")
  }

  @Test func `each refusal of the proxy names the proxy and what to do`() throws {
    func message(_ proxy: ConnectProxy, user: String? = nil) throws -> (text: String, needsChange: Bool) {
      let (error, used) = try problem(proxy.port, user: user, password: user.map { _ in "s3cret" })
      let curlError = try #require(error)
      let failure = try #require(used.failure(curlError, connectingTo: "server.pabal.test"))
      #expect(failure.message.contains("the proxy http://127.0.0.1:\(proxy.port) "))
      #expect(!failure.message.contains("s3cret"))
      return (failure.message, failure.needsChange)
    }
    let login = try ConnectProxy(to: 1, login: "me:right")
    #expect(try message(login).text.contains("requires a user and a password (status 407)"))
    #expect(try message(login, user: "me").text.contains("refuses the user or the password"))
    let forbidden = try message(ConnectProxy(to: 1, status: 403))
    #expect(forbidden.text.contains("doesn't allow connections to server.pabal.test (status 403)"))
    #expect(forbidden.needsChange)
    let down = try message(ConnectProxy(to: 1, status: 502))
    #expect(down.text.contains("can't connect to server.pabal.test (status 502)"))
    #expect(!down.needsChange)
    let (refused, used) = try problem(1)
    #expect(
      used.failure(try #require(refused), connectingTo: "server.pabal.test")?.message
        .hasPrefix("the proxy http://127.0.0.1:1 doesn't accept connections") == true)
  }
}

/// A server with TLS that accepts connections and keeps them open.
final class TLSEchoServer: Sendable {
  private static let program = """
    import os, socket, ssl, sys, threading
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0))
    def serve(connection):
        try:
            connection = context.wrap_socket(connection, server_side=True)
            while connection.recv(1024): pass
        except OSError: pass
    def accept():
        while True: threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()
    os._exit(0)
    """

  let port: Int
  private let input = Pipe()

  init() throws {
    let authority = try TestAuthority.shared.get()
    let pipe = Pipe()
    _ = try SpawnedProcess(
      "python3", ["-c", Self.program, authority.good, authority.key], input: .pipe(input), output: .pipe(pipe)
    )
    port = Int(pipe.firstLine()) ?? 0
  }

  deinit { try? input.fileHandleForWriting.close() }
}
