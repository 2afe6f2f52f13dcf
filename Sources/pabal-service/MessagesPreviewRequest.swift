import PabalCommand

/// What a browser asks of `messages preview --watch`.
enum PreviewRequest: Equatable {
  case page
  /// Wants to be told of every new version.
  case changes
  /// Refused, with the status line that says why.
  case rejected(String)

  /// The most octets a request's head may have.
  static let maxHeadSize = 16 * 1024

  /// Reads the head of a request; `nil` as long as its end has not come.
  init?(_ octets: [UInt8]) {
    guard let end = octets.firstRange(of: Array("\r\n\r\n".utf8)) else {
      guard octets.count >= PreviewRequest.maxHeadSize else { return nil }
      self = .rejected("431 Request Header Fields Too Large")
      return
    }
    let lines = String(decoding: octets[..<end.lowerBound], as: UTF8.self).split(
      separator: "\r\n", omittingEmptySubsequences: false)
    let requestLine = lines[0].split(separator: " ", omittingEmptySubsequences: false)
    guard requestLine.count == 3, requestLine[2].hasPrefix("HTTP/1.") else {
      self = .rejected("400 Bad Request")
      return
    }
    let hosts = lines.dropFirst().compactMap { line -> String? in
      let colon = line.firstIndex(of: ":") ?? line.endIndex
      guard line[..<colon].lowercased() == "host" else { return nil }
      return String(line[colon...].dropFirst()).trimmed
    }
    // A stranger's page whose name leads here (DNS rebinding) still asks for the stranger's name.
    guard hosts.count == 1, PreviewRequest.isLoopback(hosts[0]) else {
      self = .rejected("421 Misdirected Request")
      return
    }
    guard requestLine[0] == "GET" else {
      self = .rejected("405 Method Not Allowed\r\nAllow: GET")
      return
    }
    // No path leads to a file.
    switch requestLine[1].prefix(while: { $0 != "?" }) {
    case "/": self = .page
    case "/changes": self = .changes
    default: self = .rejected("404 Not Found")
    }
  }

  private static func isLoopback(_ host: String) -> Bool {
    for name in ["127.0.0.1", "localhost"] where host.lowercased().hasPrefix(name) {
      let port = host.dropFirst(name.count)
      // Any port: one may have been forwarded from another machine.
      return port.isEmpty
        || (port.first == ":" && (2...6).contains(port.utf8.count)
          && port.utf8.dropFirst().allSatisfy { (0x30...0x39).contains($0) })
    }
    return false
  }
}
