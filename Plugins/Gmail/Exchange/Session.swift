internal import PabalCurl

/// One request and what came back.
struct Exchange {
  /// The status of the final answer; `nil`: none came.
  var status: Int?
  /// The answer's body, or its beginning.
  var body: [UInt8] = []
  /// Why the exchange did not come to its end.
  var failure: CurlFailure?
  /// Whether the last octet of the request was handed over.
  var isHandedOver = false
  /// The seconds a Retry-After header asks to wait; 0: none.
  var retryAfter = 0
}

/// One libcurl handle and its connection, for one request at a time.
///
/// Sendable although it is no value: the courier gives it to one caller, who alone uses it until it comes back.
final class Session: @unchecked Sendable {
  /// What it asks for.
  enum Request { case send, profile }

  /// After so long without use the API, or a box on the way, may have closed a connection unseen; a mail lost
  /// that way is `unknown`.
  private static let keptSeconds = 60
  /// More of an answer than that is nothing Gmail says.
  private static let mostOctets = 65_536

  private let handle: CurlHandle
  private let request: Request
  private var token = ""
  private var answer: [UInt8] = []

  init(_ service: Service, _ request: Request) throws(CurlFailure) {
    self.request = request
    handle = try CurlHandle(protocols: service.endpoint.isSecure ? "https" : "http")
    try handle.set(.url, request == .send ? service.sendURL : service.profileURL)
    // libcurl 7.88 spins while an HTTP/2 upload waits, and HTTP/1.1 was measured faster for small mails too.
    try handle.set(.one)
    try handle.set(.post, request == .send)
    try handle.set(.keptConnections, 1)
    try handle.set(.keptSeconds, Self.keptSeconds)
    try handle.set(.connectTimeout, .milliseconds(service.timeout))
    try handle.set(.slowOctets, 1)
    try handle.set(.slowSeconds, max(1, service.timeout / 1_000))
    if service.certificateFile != nil || service.certificateDirectory != nil {
      try handle.setTrust(.only(file: service.certificateFile, directory: service.certificateDirectory))
    }
    handle.onBody = { [unowned self] octets in
      answer.append(contentsOf: octets.prefix(max(0, Self.mostOctets - answer.count)))
      return true
    }
  }

  /// Sends the request once, and once more only where a kept connection died before any octet of the mail left.
  func perform(_ upload: Upload?, token: String) -> Exchange {
    let exchange = attempt(upload, token: token)
    let isStale =
      exchange.failure != nil && exchange.status == nil && handle.connectionsMade == 0
      && handle.octetsSent == 0
    guard isStale else { return exchange }
    return attempt(upload, token: token, isFresh: true)
  }

  private func attempt(_ upload: Upload?, token: String, isFresh: Bool = false) -> Exchange {
    var exchange = Exchange()
    answer.removeAll(keepingCapacity: true)
    do throws(CurlFailure) {
      try handle.set(.freshConnection, isFresh)
      try setToken(token)
      if let upload {
        try upload.withParts { head, tail throws(CurlFailure) in try handle.perform(sending: head, tail) }
      } else {
        try handle.perform()
      }
    } catch {
      exchange.failure = error
    }
    let status = handle.responseCode
    exchange.status = status >= 200 ? status : nil
    exchange.isHandedOver = handle.octetsSent >= upload?.count ?? 1
    exchange.retryAfter = handle.retryAfterSeconds
    exchange.body = answer
    return exchange
  }

  private func setToken(_ token: String) throws(CurlFailure) {
    guard token != self.token else { return }
    self.token = ""
    var lines = ["Authorization: Bearer \(token)"]
    // Without the last line libcurl waits up to a second for "100 Continue" before a body above 1 MiB.
    if request == .send { lines += ["Content-Type: message/rfc822", "Expect:"] }
    try handle.setHeaders(lines)
    self.token = token
  }
}
