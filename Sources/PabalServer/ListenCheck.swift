import Glibc
package import PabalCore
import PabalHTTP
package import PabalSubmission

/// Tests whether a service could listen on an address, and stops listening again.
package enum ListenCheck {
  /// Throws if `pabal serve` couldn't listen on `address`. Returns whether a Pabal that is running already listens there.
  /// Blocks for at most two seconds.
  package static func run(_ address: ListenAddress) throws(Diagnostic) -> Bool {
    guard let number = errorOfBinding(address) else { return false }
    // A check beside a running service isn't an error.
    if number == EADDRINUSE, isAnsweredByPabal(address) { return true }
    throw HTTPServer.listenError(address, number)
  }

  /// Does the same for an SMTP listener. With TLS from the beginning, any program that listens there counts as Pabal.
  package static func run(_ endpoint: SubmissionEndpoint, isTLS: Bool) throws(Diagnostic) -> Bool {
    switch endpoint {
    case .address(let address):
      guard let number = errorOfBinding(address) else { return false }
      if number == EADDRINUSE, isTLS || answer(address, to: "").contains(" ESMTP Pabal") { return true }
      throw endpoint.failure(number)
    case .socket(let path):
      if SubmissionEndpoint.isAnswering(path) { return true }
      let directory = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
      guard access(directory.isEmpty ? "/" : directory, W_OK | X_OK) == 0 else {
        throw endpoint.failure(errno)
      }
      var status = stat()
      guard lstat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFSOCK else {
        throw endpoint.failure(EADDRINUSE)
      }
      return false
    }
  }

  /// Returns the error of binding and listening as `HTTPServer` does.
  private static func errorOfBinding(_ address: ListenAddress) -> Int32? {
    withSocket(address) { socket, target, size in
      var on: CInt = 1
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<CInt>.size))
      guard bind(socket, target, size) == 0, listen(socket, 1) == 0 else { return errno }
      return nil
    }
  }

  private static func isAnsweredByPabal(_ address: ListenAddress) -> Bool {
    let text = answer(
      address, to: "GET /healthz HTTP/1.1\r\nHost: \(address)\r\nConnection: close\r\n\r\n")
    return text.hasPrefix("HTTP/1.1 200 ") && text.hasSuffix(#"{"status":"ok"}"#)
  }

  /// Returns what a server at `address` answers within a second: up to the end of a line if nothing is sent, else all.
  private static func answer(_ address: ListenAddress, to request: String) -> String {
    var text = ""
    _ = withSocket(address) { socket, target, size -> Int32? in
      var limit = timeval(tv_sec: 1, tv_usec: 0)
      for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(socket, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
      }
      guard connect(socket, target, size) == 0 else { return errno }
      let request = Array(request.utf8)
      guard request.isEmpty || send(socket, request, request.count, CInt(MSG_NOSIGNAL)) == request.count
      else { return errno }
      var answer = [UInt8](repeating: 0, count: 4_096)
      var length = 0
      while length < answer.count {
        let count = answer.withUnsafeMutableBytes { bytes in
          let rest = UnsafeMutableRawBufferPointer(rebasing: bytes[length...])
          return recv(socket, rest.baseAddress, rest.count, 0)
        }
        guard count > 0 else { break }
        length += count
        if request.isEmpty, answer[..<length].contains(10) { break }
      }
      text = String(decoding: answer[..<length], as: UTF8.self)
      return nil
    }
    return text
  }

  /// Calls `body` with a new socket and the address, and closes the socket. Returns the error of `body` or of the socket.
  private static func withSocket(
    _ address: ListenAddress, _ body: (CInt, UnsafePointer<sockaddr>, socklen_t) -> Int32?
  ) -> Int32? {
    var hints = addrinfo()
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(address.host, "\(address.port)", &hints, &found) == 0, let found else {
      return EADDRNOTAVAIL
    }
    defer { freeaddrinfo(found) }
    guard let target = found.pointee.ai_addr else { return EADDRNOTAVAIL }
    let socket = socket(found.pointee.ai_family, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return errno }
    defer { close(socket) }
    return body(socket, target, found.pointee.ai_addrlen)
  }
}
