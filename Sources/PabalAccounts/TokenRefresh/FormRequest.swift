internal import PabalCurl

/// What a server answered to a form.
struct FormResponse: Sendable {
  let status: Int
  let body: [UInt8]
  /// What `Retry-After` asks for.
  let retryAfter: Duration?
  /// The server's clock, by its `Date` header.
  let date: UTCTime?
}

/// A form on its way to a server, over a connection of its own.
struct FormRequest {
  let form: URLEncodedForm
  let endpoint: OAuthEndpoint

  // Google's answers are below 4 KiB, Microsoft's below 8.
  private static let bodyLimit = 262_144

  /// Sends it once and waits for the answer, at most half a minute; blocks.
  func perform() throws(CurlError) -> FormResponse {
    let handle = try CurlHandle(protocols: "https,http")
    try handle.set(.url, endpoint.description)
    try handle.set(.post, true)
    try handle.set(.userAgent, "pabal")
    try handle.set(.connectTimeout, .seconds(10))
    try handle.set(.totalTimeout, .seconds(30))
    // Without the empty Expect libcurl would wait a second before a long assertion.
    try handle.setHeaders([
      "Content-Type: application/x-www-form-urlencoded", "Accept: application/json", "Expect:",
    ])
    let collected = Collected()
    handle.onBody = { bytes in
      collected.body.append(contentsOf: bytes)
      return collected.body.count <= Self.bodyLimit
    }
    handle.onHeader = { bytes in
      let line = String(decoding: bytes, as: UTF8.self)
      if line.lowercased().hasPrefix("date:") {
        let value = line.utf8.dropFirst(5).filter { $0 != 0x0D && $0 != 0x0A }
        collected.date = UTCTime(httpDate: String(decoding: value, as: UTF8.self))
      }
      return true
    }
    var bytes = Array(form.encoded.utf8)
    defer { for index in bytes.indices { bytes[index] = 0 } }
    try bytes.withUnsafeBufferPointer { (bytes) throws(CurlError) in
      try handle.perform(sending: UnsafeRawBufferPointer(bytes))
    }
    let seconds = handle.retryAfterSeconds
    return FormResponse(
      status: handle.responseCode, body: collected.body,
      retryAfter: seconds > 0 ? .seconds(seconds) : nil, date: collected.date)
  }

  private final class Collected {
    var body: [UInt8] = []
    var date: UTCTime?
  }
}

/// Names and values as a form or a query carries them (`application/x-www-form-urlencoded`).
struct URLEncodedForm: Sendable {
  var fields: [(name: String, value: String)]

  init(_ fields: [(name: String, value: String)]) { self.fields = fields }

  /// Reads a query; `+` is a blank, and what isn't well encoded stays as it is.
  init(query: some StringProtocol) {
    fields = query.split(separator: "&").map { pair in
      let name = pair.prefix { $0 != "=" }
      return (Self.decoded(name), Self.decoded(pair.dropFirst(name.count + 1)))
    }
  }

  /// The first value of `name` that isn't empty.
  subscript(name: String) -> String? { fields.first { $0.name == name && !$0.value.isEmpty }?.value }

  /// The values that nobody but the server may see.
  var secrets: [String] {
    let names = [
      "refresh_token", "code", "client_secret", "code_verifier", "device_code", "assertion", "token",
    ]
    return fields.filter { names.contains($0.name) }.map(\.value)
  }

  var encoded: String {
    fields.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }.joined(separator: "&")
  }

  // RFC 3986 section 2.3; a blank as %20 is understood in queries and forms alike.
  private static func encoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      default:
        encoded += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }
    return encoded
  }

  private static func decoded(_ text: some StringProtocol) -> String {
    let bytes = Array(text.utf8)
    var decoded: [UInt8] = []
    var index = 0
    while index < bytes.count {
      let digits = bytes[min(index + 1, bytes.count)..<min(index + 3, bytes.count)]
      if bytes[index] == UInt8(ascii: "%"), digits.count == 2, digits.first != UInt8(ascii: "+"),
        let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
      {
        decoded.append(byte)
        index += 3
      } else {
        decoded.append(bytes[index] == UInt8(ascii: "+") ? 0x20 : bytes[index])
        index += 1
      }
    }
    return String(decoding: decoded, as: UTF8.self)
  }
}

/// Hides secrets in what a server says, also where it repeats them percent-encoded.
struct FormSecretRedactor {
  private let secrets: [[UInt8]]

  /// Texts of less than four bytes would hide what is no secret.
  init(_ secrets: [String]) {
    self.secrets = secrets.map { Array($0.utf8) }.filter { $0.count > 3 }.sorted { $0.count > $1.count }
  }

  /// `text` with an ellipsis in the place of each secret.
  func redacted(in text: String) -> String {
    var bytes = Array(text.utf8)
    for secret in secrets { bytes = Self.redacted(secret, in: bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func redacted(_ secret: [UInt8], in bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if let end = end(of: secret, at: index, in: bytes) {
        result += Array("…".utf8)
        index = end
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return result
  }

  /// Where the secret that begins at `index` ends, if one does; each of its bytes may be encoded, once or twice.
  private static func end(of secret: [UInt8], at index: Int, in bytes: [UInt8]) -> Int? {
    var index = index
    for byte in secret {
      guard let length = length(of: byte, at: index, in: bytes) else { return nil }
      index += length
    }
    return index
  }

  private static func length(of byte: UInt8, at index: Int, in bytes: [UInt8]) -> Int? {
    guard index < bytes.count else { return nil }
    if bytes[index] == byte || byte == 0x20 && bytes[index] == UInt8(ascii: "+") { return 1 }
    guard bytes[index] == UInt8(ascii: "%") else { return nil }
    // %252F is %2F, encoded again.
    let isTwice = bytes[index...].starts(with: Array("%25".utf8)) && byte != UInt8(ascii: "%")
    let start = index + (isTwice ? 3 : 1)
    guard start + 2 <= bytes.count else { return nil }
    let digits = String(decoding: bytes[start..<start + 2], as: UTF8.self)
    return UInt8(digits, radix: 16) == byte ? start + 2 - index : nil
  }
}
