internal import PabalPlugin

/// Where the API is, and how it is spoken to.
struct GmailAPI: Sendable {
  let endpoint: GmailEndpoint
  var certificateFile: String?
  var certificateDirectory: String?
  /// The longest stop while a request goes out, and the longest time from its end to the end of the answer, in
  /// milliseconds.
  var timeout = 60_000

  init(_ endpoint: GmailEndpoint) { self.endpoint = endpoint }

  /// Appends the head of a media upload: the mail's bytes are its body, whatever their size (Gmail discovery
  /// document).
  func appendSendHead(token: String, count: Int, to head: inout [UInt8]) {
    append("POST ", "/upload/gmail/v1/users/me/messages/send?uploadType=media", token: token, to: &head)
    head.append(contentsOf: "\r\nContent-Type: message/rfc822\r\nContent-Length: ".utf8)
    head.append(contentsOf: String(count).utf8)
    head.append(contentsOf: "\r\n\r\n".utf8)
  }

  /// Appends the head of a request for the mailbox's profile.
  func appendProfileHead(token: String, to head: inout [UInt8]) {
    append("GET ", "/gmail/v1/users/me/profile", token: token, to: &head)
    head.append(contentsOf: "\r\n\r\n".utf8)
  }

  // Once a mail: an interpolated string would cost as much as the system call that sends it.
  private func append(_ method: StaticString, _ path: StaticString, token: String, to head: inout [UInt8]) {
    head.reserveCapacity(head.count + 512 + token.utf8.count)
    head.append(contentsOf: UnsafeBufferPointer(start: method.utf8Start, count: method.utf8CodeUnitCount))
    head.append(contentsOf: endpoint.path.utf8)
    head.append(contentsOf: UnsafeBufferPointer(start: path.utf8Start, count: path.utf8CodeUnitCount))
    head.append(contentsOf: " HTTP/1.1\r\nHost: ".utf8)
    head.append(contentsOf: endpoint.name.utf8)
    head.append(contentsOf: "\r\nAuthorization: Bearer ".utf8)
    head.append(contentsOf: token.utf8)
  }

  /// The most bytes an upload may have (Gmail discovery document, `mediaUpload.maxSize`).
  static let maxUploadSize = 36_700_160
  /// The most recipients of one mail (Gmail's quota page; another page of Google's says 100).
  static let maxRecipients = 500

  /// What `config.json` may say of a Gmail transport.
  static let settings: [Setting] = [
    Setting(.account, "account", help: "The account whose mailbox sends.", required: true),
    Setting(
      .text, "endpoint", help: "Where the API is; https, or http towards this machine.",
      default: "https://gmail.googleapis.com"),
    Setting(.path, "ca_file", help: "A PEM file of authorities to trust instead of the system's."),
    Setting(
      .path, "ca_directory", help: "A directory of hashed authorities to trust instead of the system's."),
    Setting(
      .duration, "timeout", help: "The longest time to connect, to go on taking a mail, and to answer it.",
      default: "60s", range: 1_000...3_600_000),
    Setting(
      .number, "parallel", help: "How many requests are under way at once.", default: "4", range: 1...64),
  ]

  /// Reads the settings; says in words what does not fit.
  init(_ settings: Settings) throws(TransportOpenError) {
    do throws(GmailEndpoint.ParsingError) {
      endpoint = try GmailEndpoint(settings.text("endpoint") ?? "https://gmail.googleapis.com")
    } catch {
      throw TransportOpenError("\"endpoint\" \(error.message)")
    }
    certificateFile = settings.text("ca_file")
    certificateDirectory = settings.text("ca_directory")
    timeout = Int(settings.number("timeout") ?? 60_000)
  }
}

/// The beginning of every URL: scheme, host, port and perhaps a path.
struct GmailEndpoint: Sendable, Equatable {
  /// Why a text is no endpoint.
  struct ParsingError: Error, Equatable { let message: String }

  /// Scheme, host and port.
  let url: String
  /// What comes before the API's own paths; empty, or beginning with a slash.
  let path: String
  /// `host:port` as written.
  let name: String
  let isSecure: Bool

  init(_ text: String) throws(ParsingError) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") }) else {
      throw ParsingError(message: "holds a blank or a character that no URL has")
    }
    let scheme = text.prefix { $0 != ":" }.lowercased()
    guard scheme == "https" || scheme == "http", text.dropFirst(scheme.count).hasPrefix("://") else {
      throw ParsingError(message: "begins with neither https:// nor http://")
    }
    let rest = text.dropFirst(scheme.count + 3)
    guard !rest.contains(where: { "?#@".contains($0) }) else {
      throw ParsingError(message: "holds a user, a query or a fragment; give scheme, host and port only")
    }
    let authority = rest.prefix { $0 != "/" }
    let host = try Self.host(of: authority)
    isSecure = scheme == "https"
    // A token would cross the network readable for anybody.
    guard isSecure || Self.isLoopback(host) else {
      throw ParsingError(message: "is http, which is only for this machine; use https")
    }
    var path = rest.dropFirst(authority.count)
    while path.last == "/" { path.removeLast() }
    url = "\(scheme)://\(authority)/"
    self.path = String(path)
    name = String(authority)
  }

  private static func host(of authority: Substring) throws(ParsingError) -> String {
    var host = authority
    var port: Substring?
    if host.first == "[", let end = host.firstIndex(of: "]") {
      let after = host[host.index(after: end)...]
      guard after.isEmpty || after.first == ":" else { throw ParsingError(message: "has no host") }
      if !after.isEmpty { port = after.dropFirst() }
      host = host[host.index(after: host.startIndex)..<end]
    } else if let colon = host.firstIndex(of: ":") {
      port = host[host.index(after: colon)...]
      host = host[..<colon]
    }
    guard !host.isEmpty else { throw ParsingError(message: "has no host") }
    if let port {
      guard let number = UInt16(port), number > 0, port.first != "+" else {
        throw ParsingError(message: "has no port after the colon")
      }
    }
    return String(host)
  }

  /// Whether the host is this machine by its very name: libcurl gives `localhost` no other address.
  private static func isLoopback(_ host: String) -> Bool {
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
    let isFour = numbers.count == 4 && numbers.allSatisfy(isByte) && numbers[0] == "127"
    return isFour || host == "::1" || host.lowercased() == "localhost"
  }

  // UInt8 would also read a sign, and libcurl a number that begins with 0 as octal or as a name.
  private static func isByte(_ text: Substring) -> Bool {
    UInt8(text) != nil && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
      && (text.utf8.count == 1 || text.first != "0")
  }
}
