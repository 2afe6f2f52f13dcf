import Glibc
import PabalCommand
import PabalCore
import PabalMessages

/// Serves one page, in the browser's language, to browsers on this machine and notifies them of new versions by server-sent events.
///
/// Runs on one thread with `poll`, serves no files, accepts only `GET`, and keeps at most 64 connections.
final class PreviewServer {
  /// Why the server can't start.
  struct StartError: Error {
    let message: String
    let remedy: String
  }

  /// The page in each language.
  struct Pages: Equatable {
    private let english: PreviewPage
    private let korean: PreviewPage

    init(_ messages: [PreviewedMessage], problems: [Diagnostic]) {
      english = PreviewPage(messages, problems: problems, language: .english, follows: true)
      korean = PreviewPage(messages, problems: problems, language: .korean, follows: true)
    }

    subscript(language: InterfaceLanguage) -> PreviewPage { language == .korean ? korean : english }
  }

  /// The port that the server listens on.
  let port: UInt16
  private let listener: CInt
  private var connections: [Connection] = []
  private var pages = Pages([], problems: [])

  /// The time between checks for a new page.
  private static let interval = Duration.seconds(1)
  /// The longest time for receiving a request, and for sending the response.
  private static let requestTimeout = Duration.seconds(20)
  private static let maxConnections = 64

  private struct Connection {
    let descriptor: CInt
    var since: ContinuousClock.Instant
    var received: [UInt8] = []
    var outgoing: ArraySlice<UInt8> = []
    var hasResponded = false
    var follows = false
    var language = InterfaceLanguage.english
    var isFinished = false
  }

  /// Listens on 127.0.0.1; with `fallingBackToAnyPort`, on any free port if `port` is in use.
  init(port: UInt16, fallingBackToAnyPort: Bool) throws(StartError) {
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue)
    let listener = socket(AF_INET, kind, 0)
    var isOn: CInt = 1
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<CInt>.size))
    var error = PreviewServer.bind(listener, to: port)
    if error == EADDRINUSE, fallingBackToAnyPort { error = PreviewServer.bind(listener, to: 0) }
    if error == 0, listen(listener, 16) != 0 { error = errno }
    guard error == 0 else {
      close(listener)
      throw StartError(
        message: "port \(port) can't be used: \(String(cString: strerror(error)))",
        remedy: "choose another --port"
      )
    }
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { address in
      _ = address.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
    }
    self.listener = listener
    self.port = UInt16(bigEndian: address.sin_port)
  }

  deinit { close(listener) }

  private static func bind(_ descriptor: CInt, to port: UInt16) -> CInt {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
    let status = withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return status == 0 ? 0 : errno
  }

  /// Serves until the process ends. Calls `nextPages` once a second; it returns the page if it has changed.
  func run(_ nextPages: () -> Pages?) -> Never {
    var lastCheck: ContinuousClock.Instant?
    while true {
      let now = ContinuousClock.now
      if lastCheck.map({ now - $0 >= PreviewServer.interval }) ?? true {
        lastCheck = now
        if let pages = nextPages(), pages != self.pages {
          self.pages = pages
          for index in connections.indices where connections[index].follows {
            connections[index].outgoing += event(connections[index].language)
          }
        }
        closeTimedOut(now)
      }
      wait()
    }
  }

  private func event(_ language: InterfaceLanguage) -> [UInt8] {
    Array("data: \(pages[language].version)\n\n".utf8)
  }

  private func closeTimedOut(_ now: ContinuousClock.Instant) {
    for index in connections.indices {
      // A follower may wait for events indefinitely, but must read those that are sent.
      if connections[index].follows, connections[index].outgoing.isEmpty { connections[index].since = now }
      if now - connections[index].since > PreviewServer.requestTimeout {
        connections[index].isFinished = true
      }
    }
    closeFinished()
  }

  private func closeFinished() {
    for connection in connections where connection.isFinished { close(connection.descriptor) }
    connections.removeAll(where: \.isFinished)
  }

  private func wait() {
    var waiting = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
    for connection in connections {
      let events = connection.outgoing.isEmpty ? POLLIN : POLLIN | POLLOUT
      waiting.append(pollfd(fd: connection.descriptor, events: Int16(events), revents: 0))
    }
    guard poll(&waiting, nfds_t(waiting.count), 1000) > 0 else { return }
    for (index, state) in waiting.dropFirst().enumerated() where state.revents != 0 {
      if state.revents & Int16(POLLIN | POLLHUP | POLLERR) != 0 { receive(&connections[index]) }
      if state.revents & Int16(POLLOUT) != 0 { send(&connections[index]) }
    }
    closeFinished()
    if waiting[0].revents != 0 { accept() }
  }

  private func accept() {
    let descriptor = Glibc.accept(listener, nil, nil)
    guard descriptor >= 0 else { return }
    guard connections.count < PreviewServer.maxConnections, fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0,
      fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0
    else {
      close(descriptor)
      return
    }
    connections.append(Connection(descriptor: descriptor, since: .now))
  }

  private func receive(_ connection: inout Connection) {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = recv(connection.descriptor, &bytes, bytes.count, 0)
    if count < 0, errno == EAGAIN || errno == EINTR { return }
    guard count > 0 else {
      connection.isFinished = true
      return
    }
    // Bytes after the request are read and ignored.
    guard !connection.hasResponded else { return }
    connection.received += bytes[..<count]
    guard let request = PreviewRequest(connection.received) else { return }
    connection.received = []
    connection.hasResponded = true
    connection.since = .now
    respond(request, to: &connection)
  }

  private func respond(_ request: PreviewRequest, to connection: inout Connection) {
    switch request {
    case .page(let language):
      let body = Array(pages[language].html.utf8)
      connection.outgoing = head("200 OK", "text/html; charset=utf-8", length: body.count)[...] + body
    case .changes(let language):
      connection.follows = true
      connection.language = language
      connection.outgoing = head("200 OK", "text/event-stream", length: nil)[...] + event(language)
    case .rejected(let status):
      let body = Array((status.prefix(while: { !$0.isNewline }) + "\n").utf8)
      connection.outgoing = head(status, "text/plain", length: body.count)[...] + body
    }
    send(&connection)
  }

  private func head(_ status: String, _ kind: String, length: Int?) -> [UInt8] {
    var head = "HTTP/1.1 \(status)\r\nContent-Type: \(kind)\r\n"
    head += "Cache-Control: no-store\r\nConnection: close\r\n"
    head += "X-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n"
    head += "Cross-Origin-Resource-Policy: same-origin\r\n"
    if let length { head += "Content-Length: \(length)\r\n" }
    return Array((head + "\r\n").utf8)
  }

  private func send(_ connection: inout Connection) {
    while !connection.outgoing.isEmpty {
      let count = connection.outgoing.withUnsafeBytes {
        Glibc.send(connection.descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN { return }
      guard count > 0 else {
        connection.isFinished = true
        return
      }
      connection.outgoing = connection.outgoing.dropFirst(count)
    }
    // Closing with unread bytes would reset the connection and lose the response, so the browser closes it.
    if connection.hasResponded, !connection.follows { shutdown(connection.descriptor, CInt(SHUT_WR)) }
  }
}

/// A browser's request to `messages preview --watch`.
enum PreviewRequest: Equatable {
  case page(InterfaceLanguage)
  /// Subscribes to new versions of the page.
  case changes(InterfaceLanguage)
  /// An invalid request, with the status line of its response.
  case rejected(String)

  /// The largest size of a request's head, in bytes.
  static let maxHeadSize = 16 * 1024

  /// Parses the head of a request; `nil` until it is complete.
  init?(_ bytes: [UInt8]) {
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
      guard bytes.count >= PreviewRequest.maxHeadSize else { return nil }
      self = .rejected("431 Request Header Fields Too Large")
      return
    }
    let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(
      separator: "\r\n", omittingEmptySubsequences: false)
    let requestLine = lines[0].split(separator: " ", omittingEmptySubsequences: false)
    guard requestLine.count == 3, requestLine[2].hasPrefix("HTTP/1.") else {
      self = .rejected("400 Bad Request")
      return
    }
    func values(_ name: String) -> [String] {
      lines.dropFirst().compactMap { line in
        let colon = line.firstIndex(of: ":") ?? line.endIndex
        return line[..<colon].lowercased() == name ? String(line[colon...].dropFirst()).trimmed : nil
      }
    }
    let hosts = values("host")
    // DNS rebinding: a foreign page whose name resolves to this machine still sends its own name as Host.
    guard hosts.count == 1, PreviewRequest.isLoopback(hosts[0]) else {
      self = .rejected("421 Misdirected Request")
      return
    }
    guard requestLine[0] == "GET" else {
      self = .rejected("405 Method Not Allowed\r\nAllow: GET")
      return
    }
    let language = InterfaceLanguage(acceptLanguage: values("accept-language").joined(separator: ","))
    // Paths are never mapped to files.
    switch requestLine[1].prefix(while: { $0 != "?" }) {
    case "/": self = .page(language)
    case "/changes": self = .changes(language)
    default: self = .rejected("404 Not Found")
    }
  }

  private static func isLoopback(_ host: String) -> Bool {
    for name in ["127.0.0.1", "localhost"] where host.lowercased().hasPrefix(name) {
      let port = host.dropFirst(name.count)
      // Any port is accepted, because it may be forwarded from another machine.
      return port.isEmpty
        || (port.first == ":" && (2...6).contains(port.utf8.count)
          && port.utf8.dropFirst().allSatisfy { (0x30...0x39).contains($0) })
    }
    return false
  }
}
