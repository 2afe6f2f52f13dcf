import Foundation
import PabalTesting
import Testing

@testable import PabalCurl

/// A handle uses only its protocols and nothing of the environment.
@Suite struct CurlHandleTests {
  @Test func `a protocol that the handle wasn't made for is refused`() throws {
    let handle = try CurlHandle(protocols: "smtps")
    try handle.set(.url, "http://127.0.0.1:1/")
    #expect(throws: CurlError.self) { try handle.perform() }
    let failure = #expect(throws: CurlError.self) { try handle.perform() }
    #expect(failure?.code.rawValue == 1)
  }

  @Test func `a refused connection is an error with the address`() throws {
    let handle = try CurlHandle(protocols: "https")
    try handle.set(.url, "https://127.0.0.1:1/")
    let failure = #expect(throws: CurlError.self) { try handle.perform() }
    #expect(failure?.code == .unreachable)
    #expect(failure?.description.contains("127.0.0.1") == true)
  }

  @Test func `text with a NUL and headers with a line end are refused`() throws {
    let handle = try CurlHandle(protocols: "https")
    #expect(throws: CurlError.self) { try handle.set(.userAgent, "a\0b") }
    for line in ["X: a\r\nY: b", "X: a\nY: b", "X: a\0b"] {
      #expect(throws: CurlError.self) { try handle.setHeaders(["Ok: yes", line]) }
    }
  }

  @Test func `the environment's proxy and netrc aren't used`() async throws {
    // In a process of its own, because the environment is shared with other tests.
    await #expect(processExitsWith: .success) {
      let home = try TemporaryDirectory()
      try home.write("machine 127.0.0.1 login leaked password leaked\n", to: ".netrc")
      let names = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "smtp_proxy"]
      for name in names { setenv(name, "http://127.0.0.1:1", 1) }
      setenv("HOME", home.path, 1)
      let server = try EchoServer()
      let handle = try CurlHandle(protocols: "http")
      try handle.set(.url, "http://127.0.0.1:\(server.port)/here")
      var body: [UInt8] = []
      handle.onBody = { bytes in
        body += bytes
        return true
      }
      try handle.perform()
      #expect(handle.responseCode == 200)
      let request = String(decoding: body, as: UTF8.self)
      #expect(request.hasPrefix("GET /here HTTP/1.1"))
      #expect(!request.contains("Authorization"))
    }
  }

  @Test func `a body is sent completely and headers arrive line by line`() throws {
    let server = try EchoServer()
    let handle = try CurlHandle(protocols: "http")
    try handle.set(.url, "http://127.0.0.1:\(server.port)/")
    try handle.set(.post, true)
    try handle.set(.http1)
    try handle.setHeaders(["Content-Type: text/plain", "Expect:", "X-Own: yes"])
    var lines: [String] = []
    var body: [UInt8] = []
    handle.onHeader = { line in
      lines.append(String(decoding: line, as: UTF8.self))
      return true
    }
    handle.onBody = { bytes in
      body += bytes
      return true
    }
    let sent = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
    try sent.withUnsafeBytes { bytes in try handle.perform(sending: bytes) }
    let request = String(decoding: body, as: UTF8.self)
    #expect(lines.first?.hasPrefix("HTTP/1.1 200") == true)
    #expect(request.contains("X-Own: yes"))
    #expect(request.contains("Content-Length: 100000"))
    #expect(body.suffix(100_000).allSatisfy { $0 == UInt8(ascii: "x") })
    #expect(handle.bytesSent == 100_000)
  }

  @Test func `a callback that returns false stops the transfer`() throws {
    let server = try EchoServer()
    let handle = try CurlHandle(protocols: "http")
    try handle.set(.url, "http://127.0.0.1:\(server.port)/")
    handle.onHeader = { _ in false }
    let failure = #expect(throws: CurlError.self) { try handle.perform() }
    #expect(failure?.code == .abortedByCallback)
  }
}

/// An HTTP server that answers every request with the request itself.
final class EchoServer {
  private static let program = """
    import http.server, os, sys, threading
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    class Echo(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def do_GET(self):
            count = int(self.headers.get("Content-Length") or 0)
            text = f"{self.requestline}\\r\\n{self.headers}".encode() + self.rfile.read(count)
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
        do_POST = do_GET
        def log_message(self, *words): pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    print(server.server_port, flush=True)
    server.serve_forever()
    """

  let port: Int
  private let input = Pipe()

  init() throws {
    let pipe = Pipe()
    // The server exits when its standard input closes, even if this process is killed.
    _ = try SpawnedProcess(
      "python3", ["-c", Self.program], input: .pipe(input), output: .pipe(pipe), errors: .nothing)
    port = Int(pipe.firstLine()) ?? 0
  }

  deinit { try? input.fileHandleForWriting.close() }
}
