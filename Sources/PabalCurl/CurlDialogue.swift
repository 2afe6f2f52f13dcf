internal import CPabalCurl
internal import Glibc

/// A dialogue of one's own over a connection made with `connectOnly`.
///
/// The TLS rules a caller must keep: a slice that was not taken is offered again from the same address with
/// the same length, and nothing else is sent before it; that nothing was taken does not mean nothing left.
extension CurlHandle {
  /// What a connection is waited for.
  public enum Readiness: Sendable {
    /// Something has come, or the peer has closed.
    case readable
    /// More can be sent, or something has come.
    case either
  }

  /// Hands octets over and returns how many were taken; `nil`: none now, wait and offer the same again.
  public func send(_ octets: UnsafeRawBufferPointer) throws(CurlError) -> Int? {
    var taken = 0
    let code = pabal_curl_send(handle, octets.baseAddress, octets.count, &taken)
    if code == CURLE_OK { return taken }
    if code == CURLE_AGAIN { return nil }
    throw makeError(code)
  }

  /// Reads what has come and returns how much; 0: the peer has closed; `nil`: nothing has come.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(CurlError) -> Int? {
    var count = 0
    let code = pabal_curl_receive(handle, buffer.baseAddress, buffer.count, &count)
    if code == CURLE_OK { return count }
    if code == CURLE_AGAIN { return nil }
    throw makeError(code)
  }

  /// Blocks until the connection is ready or `milliseconds` have passed; `false`: they have.
  public func wait(for readiness: Readiness, milliseconds: Int) -> Bool {
    let events = readiness == .readable ? POLLIN : POLLIN | POLLOUT
    var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
    // Interrupted: the caller looks at its deadline and comes back.
    return poll(&entry, 1, CInt(clamping: milliseconds)) != 0
  }

  /// Whether a connection stands that `send` and `receive` may use.
  public var isConnected: Bool { socket >= 0 }

  /// The last response's status, 0 when there was none.
  public var responseCode: Int { number(CURLINFO_RESPONSE_CODE) }
  /// How many connections the last `perform` made; 0: it took a kept one.
  public var connectionsMade: Int { number(CURLINFO_NUM_CONNECTS) }
  /// How many octets of the body the last `perform` sent.
  public var octetsSent: Int { offset(CURLINFO_SIZE_UPLOAD_T) }
  /// The seconds a Retry-After header asked to wait, 0 when there was none.
  public var retryAfterSeconds: Int { offset(CURLINFO_RETRY_AFTER) }

  private func number(_ info: CURLINFO) -> Int {
    var value = 0
    return pabal_curl_get_long(handle, info, &value) == CURLE_OK ? value : 0
  }

  private func offset(_ info: CURLINFO) -> Int {
    var value: curl_off_t = 0
    return pabal_curl_get_offset(handle, info, &value) == CURLE_OK ? Int(value) : 0
  }
}
