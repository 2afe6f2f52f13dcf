/// What a server's last EHLO offered.
struct Capabilities: Sendable, Equatable {
  /// Commands may be sent in groups (RFC 2920).
  var pipelining = false
  /// BDAT (RFC 3030).
  var chunking = false
  /// Octets above 127 in a body (RFC 6152).
  var eightBitMIME = false
  /// UTF-8 in addresses and headers (RFC 6531).
  var smtpUTF8 = false
  /// The SIZE parameter is known (RFC 1870).
  var size = false
  /// The largest mail taken, in octets; `nil` when none is named.
  var maxSize: Int?
  /// Replies carry enhanced status codes (RFC 2034).
  var enhancedStatusCodes = false
  /// The login mechanisms.
  var mechanisms: [String] = []

  init() {}

  /// Reads the lines of an EHLO reply; the first is the server's name.
  init(lines: some Sequence<String>) {
    for line in lines.dropFirst() {
      let words = line.split(separator: " ")
      switch words.first?.uppercased() {
      case "PIPELINING": pipelining = true
      case "CHUNKING": chunking = true
      case "8BITMIME": eightBitMIME = true
      case "SMTPUTF8": smtpUTF8 = true
      case "ENHANCEDSTATUSCODES": enhancedStatusCodes = true
      case "SIZE":
        size = true
        // 0 means no fixed maximum (RFC 1870, 4).
        maxSize = words.dropFirst().first.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
      case "AUTH": mechanisms = words.dropFirst().map { $0.uppercased() }
      default: break
      }
    }
  }
}
