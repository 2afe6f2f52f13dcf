internal import PabalCore
internal import PabalCurl
internal import PabalFormats

/// A server's response to a form.
struct FormResponse: Sendable {
  let status: Int
  let body: [UInt8]
  /// The value of `Retry-After`.
  let retryAfter: Duration?
  /// The server's time, from its `Date` header.
  let date: Timestamp?
}

/// A request that posts a form over its own connection.
struct FormRequest {
  let form: URLEncodedForm
  let endpoint: HTTPEndpoint
  var proxy: CurlProxy?
  /// The value of the header `Authorization`.
  var authorization: String?
  /// Called about once a second while the server hasn't answered.
  var onWait: () -> Void = {}

  // Google's responses are smaller than 4 KiB, Microsoft's than 8 KiB.
  private static let bodyLimit = 262_144

  /// Sends the form once and returns the response; blocks for at most 30 seconds.
  func perform() throws(CurlError) -> FormResponse {
    let handle = try CurlHandle(protocols: "https,http")
    try handle.set(.url, endpoint.description)
    if let proxy { try handle.setProxy(proxy) }
    try handle.set(.post, true)
    try handle.set(.userAgent, "pabal")
    try handle.set(.connectTimeout, .seconds(10))
    try handle.set(.totalTimeout, .seconds(30))
    // Without an empty Expect, libcurl would wait up to a second for 100 Continue before sending a long assertion.
    try handle.setHeaders(
      ["Content-Type: application/x-www-form-urlencoded", "Accept: application/json", "Expect:"]
        + (authorization.map { ["Authorization: \($0)"] } ?? []))
    handle.onProgress = onWait
    let collected = Collected()
    handle.onBody = { bytes in
      collected.body.append(contentsOf: bytes)
      return collected.body.count <= Self.bodyLimit
    }
    handle.onHeader = { bytes in
      let line = String(decoding: bytes, as: UTF8.self)
      if line.lowercased().hasPrefix("date:") {
        let value = line.utf8.dropFirst(5).filter { $0 != 0x0D && $0 != 0x0A }
        collected.date = Timestamp(httpDate: String(decoding: value, as: UTF8.self))
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
      // At most an hour, because servers have sent points in time by mistake.
      retryAfter: seconds > 0 ? .seconds(min(seconds, 3_600)) : nil, date: collected.date)
  }

  private final class Collected {
    var body: [UInt8] = []
    var date: Timestamp?
  }
}

/// Names and values as a form or a query carries them (`application/x-www-form-urlencoded`).
struct URLEncodedForm: Sendable {
  var fields: [(name: String, value: String)]

  init(_ fields: [(name: String, value: String)]) { self.fields = fields }

  /// Parses a query; `+` decodes to a space, and invalid percent-encoding is kept as it is.
  init(query: some StringProtocol) {
    fields = query.split(separator: "&").map { pair in
      let name = pair.prefix { $0 != "=" }
      return (Self.decoded(name), Self.decoded(pair.dropFirst(name.count + 1)))
    }
  }

  /// The first value of `name` that isn't empty.
  subscript(name: String) -> String? { fields.first { $0.name == name && !$0.value.isEmpty }?.value }

  /// The values that must never be shown.
  var secrets: [String] {
    let names = [
      "refresh_token", "code", "client_secret", "code_verifier", "device_code", "assertion", "token",
    ]
    return fields.filter { names.contains($0.name) }.map(\.value)
  }

  var encoded: String {
    fields.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }.joined(separator: "&")
  }

  // RFC 3986 section 2.3; %20 for a space is valid in queries and forms alike.
  private static func encoded(_ text: String) -> String {
    PercentEncoding.encode(text, allowing: .unreserved)
  }

  private static func decoded(_ text: some StringProtocol) -> String {
    PercentEncoding.decodeForm(String(text))
  }
}

extension SecretRedactor {
  /// Replaces the secrets of a form by an ellipsis, also where a server repeats them percent-encoded.
  init(formSecrets secrets: [String]) {
    self.init(replacement: "…")
    for secret in secrets { add(Array(secret.utf8), as: .percentEncoded) }
  }
}
