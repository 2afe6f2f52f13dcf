internal import Glibc
package import PabalCurl
internal import PabalFormats

/// The result of one request: the response, how much was sent, and what went wrong.
package struct HTTPExchange {
  /// The status of the final response; `nil` if there was none.
  package var status: Int?
  /// The response's body, as far as it arrived.
  package var body: [UInt8] = []
  /// Why the exchange ended early.
  package var failure: HTTPExchangeError?
  /// How many bytes of the request were sent.
  package var bytesSent = 0
  /// Whether the whole request was sent.
  package var isFullySent = false
  /// Whether the connection can be used for another request.
  package var isReusable = false
  /// The Retry-After field; 0 seconds if there was none.
  package var retryAfter = RetryAfter.seconds(0)

  /// The server's id of the request, for its support; `nil` if it sent none.
  package var requestID: String?

  /// An exchange in which nothing has happened yet.
  package init() {}

  /// Whether a request over a kept connection can be repeated over a new one without being sent twice: the connection
  /// was dead and no byte of the request left, or the server says that this connection was too old (408) or isn't for
  /// this host (421), and so that it didn't process the request (RFC 9110, 15.5.9 and 15.5.20).
  package var isSafeToRepeat: Bool {
    failure != nil && status == nil && bytesSent == 0 || status == 408 || status == 421
  }

  /// Whether a response ends the use of its connection, because the server behind it is failing or leaving: the next
  /// request may reach another.
  static func endsConnection(_ status: Int) -> Bool { status == 408 || status == 421 || status >= 500 }
}

/// Why an exchange ended early.
package enum HTTPExchangeError: Error, Equatable {
  /// Connecting failed.
  case notConnected(CurlError)
  /// The server closed the connection, or it was lost.
  case connectionLost(String)
  /// Sending stalled for the timeout.
  case idleTimeout
  /// No response came in this many milliseconds.
  case noResponse(Int)
  /// The response began but didn't end in this many milliseconds.
  case responseTimeout(Int)
  /// The response isn't valid HTTP.
  case invalidResponse
}

/// One connection to a REST API, for one request at a time.
///
/// libcurl connects and does TLS; HTTP is written here. That takes a third of libcurl's CPU time, never repeats a
/// request silently, and tells exactly how many bytes were sent.
///
/// Sendable without locks because the client lends a connection to one caller at a time.
package final class HTTPConnection: @unchecked Sendable {
  /// Idle time (ms) after which a connection isn't used again, because the API or a middlebox may close it just as
  /// the next request is sent, which would make that mail `unknown`.
  static let maxIdleTime = 60_000
  /// The size of a TLS record (RFC 8446, 5.1), in which requests are sent.
  private static let slice = 16_384

  private let handle: CurlHandle
  private let timeout: Int
  /// Idle time (ms) after which this connection isn't used again: shorter than the server keeps it.
  private var idleTime = maxIdleTime
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: slice, alignment: 16)
  private let incoming = UnsafeMutableRawBufferPointer.allocate(byteCount: slice, alignment: 16)
  private var lastUsed = 0

  /// Connects.
  init(_ server: RESTServer) throws(CurlError) {
    timeout = server.timeout
    handle = try CurlHandle(protocols: server.endpoint.isEncrypted ? "https" : "http")
    try handle.set(.url, server.endpoint.origin)
    try handle.set(.connectOnly, true)
    if let proxy = server.curlProxy { try handle.setProxy(proxy) }
    // In ALPN too, because only HTTP/1.1 is written here.
    try handle.set(.http1)
    try handle.set(.connectTimeout, .milliseconds(server.timeout))
    if server.certificateFile != nil || server.certificateDirectory != nil {
      try handle.setTrustRoots(.only(file: server.certificateFile, directory: server.certificateDirectory))
    }
    try handle.perform()
  }

  deinit {
    buffer.deallocate()
    incoming.deallocate()
  }

  /// Whether a request can be sent at `now` (ms): used recently, open, and nothing to read.
  func isUsable(now: Int) -> Bool {
    guard now - lastUsed < idleTime else { return false }
    do throws(CurlError) {
      return try handle.receive(into: incoming) == nil
    } catch {
      return false
    }
  }

  /// Sends `head` and `tail` and reads the response, which must be complete within `responseTimeout`; both times in
  /// milliseconds.
  func perform(
    _ head: [UInt8], _ tail: UnsafeRawBufferPointer, responseTimeout: Int, now: Int
  ) -> HTTPExchange {
    var exchange = HTTPExchange()
    var parser = HTTPResponseParser()
    lastUsed = now
    do throws(HTTPExchangeError) {
      try send(head, tail, &parser, sentCount: &exchange.bytesSent)
      // Waits first, because no response can have arrived right after sending; that saves a system call.
      let deadline = MonotonicClock.milliseconds() + responseTimeout
      if parser.status == nil { _ = handle.wait(for: .readable, until: deadline) }
      while !parser.isComplete {
        guard MonotonicClock.milliseconds() < deadline else {
          throw parser.hasBegun ? .responseTimeout(responseTimeout) : .noResponse(responseTimeout)
        }
        if try !read(&parser), !handle.wait(for: .readable, until: deadline) {
          throw parser.hasBegun ? .responseTimeout(responseTimeout) : .noResponse(responseTimeout)
        }
      }
    } catch {
      exchange.failure = error
    }
    exchange.isFullySent = exchange.bytesSent == head.count + tail.count
    exchange.isReusable =
      exchange.failure == nil && exchange.isFullySent && parser.isReusable
      && !HTTPExchange.endsConnection(parser.status ?? 0)
    // A second less, because the server counts from when it sent the response.
    if let seconds = parser.keepAlive { idleTime = min(Self.maxIdleTime, max(0, seconds - 1) * 1_000) }
    exchange.status = parser.status
    exchange.body = parser.body
    exchange.retryAfter = parser.retryAfter
    exchange.requestID = parser.requestID
    return exchange
  }

  /// Sends the request; stops if a response arrives before its end.
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
    // A small mail is sent with its head in one TLS record.
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
        // The server may have sent a response before it closed the connection.
        try readAvailable(&parser)
        throw .connectionLost(error.detail)
      }
      if let count {
        start += count
        sentCount += count
        deadline = nil
      } else {
        // The next call must pass the same slice, because OpenSSL may have sent part of it. Reading doesn't extend the
        // deadline, because it isn't progress of the mail.
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

  /// Reads once; returns `false` if there was nothing to read.
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
      throw .connectionLost("the server closed it")
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
  /// Waits until the connection is ready; returns `false` at `deadline` (ms).
  fileprivate func wait(for readiness: Readiness, until deadline: Int) -> Bool {
    while true {
      let left = deadline - MonotonicClock.milliseconds()
      guard left > 0 else { return false }
      if wait(for: readiness, milliseconds: left) { return true }
    }
  }
}
