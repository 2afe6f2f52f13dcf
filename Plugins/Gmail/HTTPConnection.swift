internal import Glibc
internal import PabalCurl
internal import PabalFormats

/// One request and what came back.
struct HTTPExchange {
  /// The status of the final answer; `nil`: none came.
  var status: Int?
  /// The answer's body, or its beginning.
  var body: [UInt8] = []
  /// Why the exchange did not come to its end.
  var failure: HTTPExchangeError?
  /// How many bytes of the request were handed over.
  var bytesSent = 0
  /// Whether the last one was among them.
  var isFullySent = false
  /// Whether another request may follow on the same connection.
  var isReusable = false
  /// The seconds a Retry-After field asks to wait; 0: none.
  var retryAfter = 0
}

/// Why an exchange did not come to its end.
enum HTTPExchangeError: Error, Equatable {
  /// There was no connection.
  case notConnected(CurlError)
  /// The far side closed, or the connection broke.
  case connectionLost(String)
  /// Nothing moved for so long.
  case idleTimeout
  /// The answer began and did not end in time.
  case responseTimeout
  /// What came is no HTTP.
  case invalidResponse
}

/// One connection to the API, for one request at a time.
///
/// libcurl connects and secures; the dialogue over it is our own. It then costs a third of libcurl's own, nothing is
/// ever sent a second time behind our back, and it is known to the byte what was handed over.
///
/// Sendable although it is no value: the courier gives it to one caller, who alone uses it until it comes back.
final class HTTPConnection: @unchecked Sendable {
  /// After so long without use (ms) the API, or a box on the way, may close it in the very moment of the next
  /// request, which would leave a mail `unknown`.
  static let maxIdleTime = 60_000
  /// A record of TLS holds so much (RFC 8446, 5.1); libcurl wants a slice again as it was.
  private static let slice = 16_384

  private let handle: CurlHandle
  private let timeout: Int
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: slice, alignment: 16)
  private let incoming = UnsafeMutableRawBufferPointer.allocate(byteCount: slice, alignment: 16)
  private var lastUsed = 0

  /// Connects.
  init(_ api: GmailAPI) throws(CurlError) {
    timeout = api.timeout
    handle = try CurlHandle(protocols: api.endpoint.isEncrypted ? "https" : "http")
    try handle.set(.url, api.endpoint.origin)
    try handle.set(.connectOnly, true)
    // By ALPN too: the dialogue is HTTP/1.1.
    try handle.set(.http1)
    try handle.set(.connectTimeout, .milliseconds(api.timeout))
    if api.certificateFile != nil || api.certificateDirectory != nil {
      try handle.setTrustRoots(.only(file: api.certificateFile, directory: api.certificateDirectory))
    }
    try handle.perform()
  }

  deinit {
    buffer.deallocate()
    incoming.deallocate()
  }

  /// Whether a request may go over it now: used a short while ago, and nothing has come unasked, the end least
  /// of all; `now` in milliseconds.
  func isUsable(now: Int) -> Bool {
    guard now - lastUsed < Self.maxIdleTime else { return false }
    do throws(CurlError) {
      return try handle.receive(into: incoming) == nil
    } catch {
      return false
    }
  }

  /// Sends `head` and then `tail`, and reads the answer; `now` in milliseconds.
  func perform(_ head: [UInt8], _ tail: UnsafeRawBufferPointer, now: Int) -> HTTPExchange {
    var exchange = HTTPExchange()
    var parser = HTTPResponseParser()
    lastUsed = now
    do throws(HTTPExchangeError) {
      try send(head, tail, &parser, sentCount: &exchange.bytesSent)
      // Straight after a request nothing can have come: waiting first saves a call.
      let deadline = MonotonicClock.milliseconds() + timeout
      if parser.status == nil { _ = handle.wait(for: .readable, until: deadline) }
      while !parser.isComplete {
        guard MonotonicClock.milliseconds() < deadline else {
          throw parser.hasBegun ? .responseTimeout : .idleTimeout
        }
        if try !read(&parser), !handle.wait(for: .readable, until: deadline) {
          throw parser.hasBegun ? .responseTimeout : .idleTimeout
        }
      }
    } catch {
      exchange.failure = error
    }
    exchange.isFullySent = exchange.bytesSent == head.count + tail.count
    exchange.isReusable = exchange.failure == nil && exchange.isFullySent && parser.isReusable
    exchange.status = parser.status
    exchange.body = parser.body
    exchange.retryAfter = parser.retryAfter
    return exchange
  }

  /// Hands the request over; stops at an answer that comes before its end.
  private func send(
    _ head: [UInt8], _ tail: UnsafeRawBufferPointer, _ parser: inout HTTPResponseParser, sentCount: inout Int
  ) throws(HTTPExchangeError) {
    guard head.count < Self.slice else {
      let result = head.withUnsafeBytes { head in
        Result { () throws(HTTPExchangeError) in try send(head, &parser, &sentCount) }
      }
      try result.get()
      return try send(tail, &parser, &sentCount)
    }
    // All of a small mail goes out with its head: one record, one packet or two.
    let joined = min(tail.count, Self.slice - head.count)
    buffer.copyBytes(from: head)
    UnsafeMutableRawBufferPointer(rebasing: buffer[head.count...])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: tail[..<joined]))
    try send(UnsafeRawBufferPointer(rebasing: buffer[..<(head.count + joined)]), &parser, &sentCount)
    try send(UnsafeRawBufferPointer(rebasing: tail[joined...]), &parser, &sentCount)
  }

  private func send(
    _ bytes: UnsafeRawBufferPointer, _ parser: inout HTTPResponseParser, _ sentCount: inout Int
  ) throws(HTTPExchangeError) {
    var start = 0
    var deadline: Int?
    while start < bytes.count, parser.status == nil {
      let end = min(bytes.count, start + Self.slice)
      let count: Int?
      do throws(CurlError) {
        count = try handle.send(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
      } catch {
        // The reason may have come before the connection went.
        try readAvailable(&parser)
        throw .connectionLost(error.detail)
      }
      if let count {
        start += count
        sentCount += count
        deadline = nil
      } else {
        // The same slice again, as OpenSSL demands: nothing taken doesn't mean that nothing left.
        // What comes in meanwhile is no progress of the mail.
        let end = deadline ?? MonotonicClock.milliseconds() + timeout
        deadline = end
        guard handle.wait(for: .either, until: end) else { throw .idleTimeout }
        try readAvailable(&parser)
      }
    }
  }

  private func readAvailable(_ parser: inout HTTPResponseParser) throws(HTTPExchangeError) {
    while !parser.isComplete {
      guard try read(&parser) else { return }
    }
  }

  /// Reads once; `false` when nothing has come.
  private func read(_ parser: inout HTTPResponseParser) throws(HTTPExchangeError) -> Bool {
    let count: Int?
    do throws(CurlError) {
      count = try handle.receive(into: incoming)
    } catch {
      throw .connectionLost(error.detail)
    }
    guard let count else { return false }
    guard count > 0 else {
      parser.end()
      if parser.isComplete { return true }
      throw .connectionLost("the far side closed it")
    }
    do throws(HTTPResponseParser.ParsingError) {
      try parser.feed(UnsafeRawBufferPointer(rebasing: incoming[..<count]))
    } catch {
      throw .invalidResponse
    }
    return true
  }
}

extension CurlHandle {
  /// Waits until it is ready, or `deadline` (ms) has come: `false`.
  fileprivate func wait(for readiness: Readiness, until deadline: Int) -> Bool {
    while true {
      let left = deadline - MonotonicClock.milliseconds()
      guard left > 0 else { return false }
      if wait(for: readiness, milliseconds: left) { return true }
    }
  }
}
