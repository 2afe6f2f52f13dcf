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
    handle.onBody = { octets in
      collected.body.append(contentsOf: octets)
      return collected.body.count <= Self.bodyLimit
    }
    handle.onHeader = { octets in
      let line = String(decoding: octets, as: UTF8.self)
      if line.lowercased().hasPrefix("date:") {
        let value = line.utf8.dropFirst(5).filter { $0 != 0x0D && $0 != 0x0A }
        collected.date = UTCTime(httpDate: String(decoding: value, as: UTF8.self))
      }
      return true
    }
    var octets = Array(form.encoded.utf8)
    defer { for index in octets.indices { octets[index] = 0 } }
    try octets.withUnsafeBufferPointer { (octets) throws(CurlError) in
      try handle.perform(sending: UnsafeRawBufferPointer(octets))
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
