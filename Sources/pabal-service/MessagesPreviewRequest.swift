import PabalCommand

/// What a browser asks of `messages preview --watch`.
enum MessagesPreviewRequest: Equatable {
  case page
  /// Wants to be told of every new version.
  case changes
  /// Refused, with the status line that says why.
  case refused(String)

  /// The most octets a request's head may have.
  static let limit = 16 * 1024

  /// Reads the head of a request; `nil` as long as its end has not come.
  init?(_ octets: [UInt8]) {
    guard let end = octets.firstRange(of: Array("\r\n\r\n".utf8)) else {
      guard octets.count >= MessagesPreviewRequest.limit else { return nil }
      self = .refused("431 Request Header Fields Too Large")
      return
    }
    let lines = String(decoding: octets[..<end.lowerBound], as: UTF8.self).split(
      separator: "\r\n", omittingEmptySubsequences: false)
    let words = lines[0].split(separator: " ", omittingEmptySubsequences: false)
    guard words.count == 3, words[2].hasPrefix("HTTP/1.") else {
      self = .refused("400 Bad Request")
      return
    }
    let hosts = lines.dropFirst().compactMap { line -> String? in
      let colon = line.firstIndex(of: ":") ?? line.endIndex
      guard line[..<colon].lowercased() == "host" else { return nil }
      return String(line[colon...].dropFirst()).trimmed
    }
    // A stranger's page whose name leads here (DNS rebinding) still asks for the stranger's name.
    guard hosts.count == 1, MessagesPreviewRequest.isLoopback(hosts[0]) else {
      self = .refused("421 Misdirected Request")
      return
    }
    guard words[0] == "GET" else {
      self = .refused("405 Method Not Allowed\r\nAllow: GET")
      return
    }
    // No path leads to a file.
    switch words[1].prefix(while: { $0 != "?" }) {
    case "/": self = .page
    case "/changes": self = .changes
    default: self = .refused("404 Not Found")
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
