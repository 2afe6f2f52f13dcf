internal import Glibc

/// Waits on loopback for the browser's request, and for lines typed by a person meanwhile.
///
/// Must be used by one thread. Watches all connections at once, because a browser may open connections that it never
/// uses.
final class LoopbackListener {
  /// Why a port can't be listened on.
  struct ListenError: Error {
    let port: UInt16
    let number: Int32
  }

  enum Event {
    case request(BrowserRequest)
    /// A line was typed.
    case line(String)
    case timedOut
  }

  let port: UInt16
  private var listeners: [CInt]
  private var connections: [(socket: CInt, bytes: [UInt8])] = []
  private var input: CInt?
  private var typed: [UInt8] = []

  private static let connectionLimit = 32
  private static let headLimit = 16_384
  // Google's longest URLs have less than 2,000 bytes.
  private static let lineLimit = 65_536

  /// Listens on `port` of 127.0.0.1, or on any free port; with `alsoIPv6` on `::1` too, because browsers may try it first.
  init(port: UInt16?, alsoIPv6: Bool, input: CInt?) throws(ListenError) {
    self.input = input
    var attempt = 0
    while true {
      let first = try Self.listen(AF_INET, port ?? 0)
      let bound = Self.port(of: first)
      guard alsoIPv6 else {
        (listeners, self.port) = ([first], bound)
        return
      }
      do throws(ListenError) {
        (listeners, self.port) = ([first, try Self.listen(AF_INET6, bound)], bound)
        return
      } catch {
        if error.number == EADDRINUSE {
          close(first)
          attempt += 1
          guard port == nil, attempt < 8 else { throw error }
        } else {
          // Without IPv6 on this machine, browsers don't try it either.
          (listeners, self.port) = ([first], bound)
          return
        }
      }
    }
  }

  deinit {
    for socket in listeners + connections.map(\.socket) { close(socket) }
  }

  /// Stops reading typed lines.
  func stopReading() { (input, typed) = (nil, []) }

  /// Returns the next event within `limit`; blocks.
  func next(within limit: Duration) -> Event {
    // One read may have returned several lines.
    if let line = typedLine() { return .line(line) }
    let end = ContinuousClock.now + limit
    while true {
      let left = (end - ContinuousClock.now).components
      let milliseconds = max(0, left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000)
      let watched = listeners + connections.map(\.socket) + (input.map { [$0] } ?? [])
      var entries = watched.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      let count = poll(&entries, nfds_t(entries.count), CInt(clamping: milliseconds))
      if count == 0 { return .timedOut }
      if count < 0 { continue }
      for entry in entries where entry.revents != 0 {
        if listeners.contains(entry.fd) {
          accept(entry.fd)
        } else if entry.fd == input {
          if let line = readLine(entry.fd) { return .line(line) }
        } else if let request = read(entry.fd) {
          return .request(request)
        }
      }
      // Checked here too, so that a stream of useless input can't exceed the limit.
      if milliseconds == 0 { return .timedOut }
    }
  }

  /// Sends the response to a request and closes its connection.
  func respond(_ request: BrowserRequest, status: String, html: String, language: String = "en") {
    let head = """
      HTTP/1.1 \(status)\r
      Content-Type: text/html; charset=utf-8\r
      Content-Length: \(html.utf8.count)\r
      Content-Language: \(language)\r
      Cache-Control: no-store\r
      Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'\r
      Referrer-Policy: no-referrer\r
      X-Content-Type-Options: nosniff\r
      Connection: close\r
      \r

      """
    var rest = Array((head + html).utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(request.socket, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN {
        var entry = pollfd(fd: request.socket, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 2000) > 0 else { break }
        continue
      }
      guard count > 0 else { break }
      rest = rest.dropFirst(count)
    }
    shutdown(request.socket, CInt(SHUT_WR))
    close(request.socket)
  }

  private func accept(_ listener: CInt) {
    let socket = Glibc.accept(listener, nil, nil)
    guard socket >= 0 else { return }
    _ = fcntl(socket, F_SETFL, O_NONBLOCK)
    _ = fcntl(socket, F_SETFD, FD_CLOEXEC)
    if connections.count == Self.connectionLimit { close(connections.removeFirst().socket) }
    connections.append((socket, []))
  }

  /// Returns a complete request, which the caller has to answer.
  private func read(_ socket: CInt) -> BrowserRequest? {
    guard let index = connections.firstIndex(where: { $0.socket == socket }) else { return nil }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(socket, &buffer, buffer.count, 0)
    if count < 0, errno == EAGAIN || errno == EINTR { return nil }
    guard count > 0 else {
      close(connections.remove(at: index).socket)
      return nil
    }
    connections[index].bytes += buffer[..<count]
    guard let request = BrowserRequest(connections[index].bytes, socket: socket) else {
      if connections[index].bytes.count > Self.headLimit { close(connections.remove(at: index).socket) }
      return nil
    }
    connections.remove(at: index)
    return request
  }

  private func readLine(_ descriptor: CInt) -> String? {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    if count > 0 { typed += buffer[..<count] }
    if typed.count > Self.lineLimit { typed = [] }
    if count == 0 || count < 0 && errno != EINTR {
      input = nil
      if !typed.isEmpty { typed.append(UInt8(ascii: "\n")) }
    }
    return typedLine()
  }

  private func typedLine() -> String? {
    guard let end = typed.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
    let line = String(decoding: typed[..<end], as: UTF8.self)
    typed.removeFirst(end + 1)
    return line
  }

  private static func listen(_ family: CInt, _ port: UInt16) throws(ListenError) -> CInt {
    // Non-blocking, because the client may have disconnected before accept, which would then block.
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let socket = Glibc.socket(family, kind, 0)
    guard socket >= 0 else { throw ListenError(port: port, number: errno) }
    var yes: CInt = 1
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
    let bound: CInt
    if family == AF_INET {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = port.bigEndian
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      bound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
    } else {
      setsockopt(socket, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &yes, socklen_t(MemoryLayout<CInt>.size))
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_port = port.bigEndian
      address.sin6_addr = in6addr_loopback
      bound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in6>.size))
        }
      }
    }
    guard bound == 0, Glibc.listen(socket, 16) == 0 else {
      let number = errno
      close(socket)
      throw ListenError(port: port, number: number)
    }
    return socket
  }

  private static func port(of socket: CInt) -> UInt16 {
    var address = sockaddr_in()
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    _ = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
    }
    return UInt16(bigEndian: address.sin_port)
  }
}

/// A request of the browser, to be answered once.
struct BrowserRequest {
  let method: String
  let path: String
  let query: URLEncodedForm
  /// The value of `Accept-Language`.
  let languages: String
  fileprivate let socket: CInt

  /// Parses a request; `nil` until its head is complete.
  fileprivate init?(_ bytes: [UInt8], socket: CInt) {
    let head = String(decoding: bytes, as: UTF8.self)
    guard let end = head.ranges(of: "\r\n\r\n").first else { return nil }
    let lines = head[..<end.lowerBound].split(separator: "\r\n")
    let fields = (lines.first ?? "").split(separator: " ")
    method = fields.first.map(String.init) ?? ""
    let target = fields.count > 1 ? fields[1] : ""
    path = String(target.prefix { $0 != "?" })
    query = URLEncodedForm(query: target.dropFirst(path.count + 1))
    let field = lines.dropFirst().first { $0.lowercased().hasPrefix("accept-language:") }
    languages = field.map { String($0.dropFirst(16)) } ?? ""
    self.socket = socket
  }
}
