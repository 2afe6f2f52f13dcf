internal import CPabalCurl
internal import Glibc

/// One of libcurl's easy handles: used by one thread at a time, kept for its caches.
///
/// Nothing of the environment reaches it: no proxy, no netrc. TLS is 1.2 or newer, names and certificates are
/// always verified, redirects are not followed.
public final class CurlHandle {
  /// Gets each header line of a response, or line of a mail server's reply; `false` stops the transfer.
  public var onHeader: ((UnsafeRawBufferPointer) -> Bool)?
  /// Gets the body of a response, piece by piece; `false` stops the transfer.
  public var onBody: ((UnsafeRawBufferPointer) -> Bool)?

  let handle: UnsafeMutableRawPointer
  private let errorText: UnsafeMutablePointer<CChar>
  private var headers: UnsafeMutablePointer<curl_slist>?
  private var trust = TrustRoots.system
  private var isTrustSet = false
  private var unsentBody = UnsafeRawBufferPointer(start: nil, count: 0)
  var socket: CInt = -1

  private static let isLibraryInitialized = pabal_curl_global_init() == CURLE_OK

  /// A handle that speaks only `protocols`, libcurl's names with commas between: `"smtp,smtps"`.
  public init(protocols: String) throws(CurlError) {
    guard Self.isLibraryInitialized, let handle = pabal_curl_init() else {
      throw CurlError(CURLE_FAILED_INIT)
    }
    self.handle = handle
    errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    let context = Unmanaged.passUnretained(self).toOpaque()
    for code in [
      pabal_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, protocols),
      pabal_curl_set_text(handle, CURLOPT_PROXY, ""),
      pabal_curl_set_long(handle, CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue)),
      pabal_curl_set_long(handle, CURLOPT_NOSIGNAL, 1),
      pabal_curl_set_long(handle, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
      pabal_curl_set_long(handle, CURLOPT_TCP_NODELAY, 1),
      pabal_curl_set_long(handle, CURLOPT_TCP_KEEPALIVE, 1),
      pabal_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText),
      pabal_curl_set_data(handle, CURLOPT_HEADERFUNCTION, headerCallback),
      pabal_curl_set_pointer(handle, CURLOPT_HEADERDATA, context),
      pabal_curl_set_data(handle, CURLOPT_WRITEFUNCTION, writeCallback),
      pabal_curl_set_pointer(handle, CURLOPT_WRITEDATA, context),
      pabal_curl_set_data(handle, CURLOPT_READFUNCTION, readCallback),
      pabal_curl_set_pointer(handle, CURLOPT_READDATA, context),
    ] where code != CURLE_OK { throw CurlError(code) }
  }

  deinit {
    pabal_curl_cleanup(handle)
    pabal_curl_list_free(headers)
    errorText.deallocate()
  }

  /// Sets an option; `nil` takes it back. Text with a NUL in it is refused.
  public func set(_ option: CurlOption<String>, _ value: String?) throws(CurlError) {
    if let value, value.utf8.contains(0) { throw CurlError(CURLE_BAD_FUNCTION_ARGUMENT) }
    try check(pabal_curl_set_text(handle, option.option, value))
  }

  /// Sets an option.
  public func set(_ option: CurlOption<Bool>, _ value: Bool) throws(CurlError) {
    try check(pabal_curl_set_long(handle, option.option, value ? 1 : 0))
  }

  /// Sets an option.
  public func set(_ option: CurlOption<Int>, _ value: Int) throws(CurlError) {
    try check(pabal_curl_set_long(handle, option.option, value))
  }

  /// Sets an option; at least a millisecond, since 0 means libcurl's default.
  public func set(_ option: CurlOption<Duration>, _ value: Duration) throws(CurlError) {
    try check(pabal_curl_set_long(handle, option.option, max(1, value.wholeMilliseconds)))
  }

  /// Sets how far connections are secured beyond their scheme.
  public func set(_ security: CurlSecurity) throws(CurlError) {
    let level = security == .startTLS ? CURLUSESSL_ALL : CURLUSESSL_NONE
    try check(pabal_curl_set_long(handle, CURLOPT_USE_SSL, Int(level.rawValue)))
  }

  /// Sets which HTTP is spoken.
  public func set(_ version: CurlHTTPVersion) throws(CurlError) {
    let number = version == .http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS
    try check(pabal_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(number)))
  }

  /// Sets the request's header lines, `Name: value`; a line with CR, LF or NUL is refused.
  public func setHeaders(_ lines: [String]) throws(CurlError) {
    var list: UnsafeMutablePointer<curl_slist>?
    for line in lines {
      let isValid = !line.utf8.contains { $0 == 0 || $0 == 10 || $0 == 13 }
      guard isValid, let extended = pabal_curl_list_append(list, line) else {
        pabal_curl_list_free(list)
        throw CurlError(isValid ? CURLE_OUT_OF_MEMORY : CURLE_BAD_FUNCTION_ARGUMENT)
      }
      list = extended
    }
    let code = pabal_curl_set_list(handle, CURLOPT_HTTPHEADER, list)
    pabal_curl_list_free(headers)
    headers = list
    try check(code)
  }

  /// Sets whom to believe. Without a call it is the system.
  public func setTrustRoots(_ trust: TrustRoots) throws(CurlError) {
    self.trust = trust
    switch trust {
    case .only(let file, let directory):
      try check(pabal_curl_set_text(handle, CURLOPT_CAINFO, file))
      try check(pabal_curl_set_text(handle, CURLOPT_CAPATH, directory))
    case .system:
      if let directory = SystemTrustRoots.hashedDirectory {
        try check(pabal_curl_set_text(handle, CURLOPT_CAINFO, nil))
        try check(pabal_curl_set_text(handle, CURLOPT_CAPATH, directory))
      } else {
        try check(pabal_curl_set_text(handle, CURLOPT_CAINFO, SystemTrustRoots.bundle))
      }
    }
    isTrustSet = true
  }

  /// Does what the options say and blocks until it is done; `body` goes out where they ask for one.
  public func perform(
    sending body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
  ) throws(CurlError) {
    if !isTrustSet { try setTrustRoots(trust) }
    unsentBody = body
    defer { unsentBody = UnsafeRawBufferPointer(start: nil, count: 0) }
    try check(pabal_curl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(body.count)))
    try check(pabal_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)))
    do throws(CurlError) {
      try performOnce()
    } catch {
      // A hashed directory may lack what only the bundle holds; nothing has been sent yet.
      guard error.code == .untrusted, trust == .system, SystemTrustRoots.hashedDirectory != nil,
        let bundle = SystemTrustRoots.bundle, access(bundle, R_OK) == 0
      else { throw error }
      try check(pabal_curl_set_text(handle, CURLOPT_CAINFO, bundle))
      try performOnce()
    }
  }

  private func performOnce() throws(CurlError) {
    errorText.pointee = 0
    socket = -1
    try check(pabal_curl_perform(handle))
    _ = pabal_curl_get_socket(handle, &socket)
  }

  func check(_ code: CURLcode) throws(CurlError) {
    if code != CURLE_OK { throw makeError(code) }
  }

  func makeError(_ code: CURLcode) -> CurlError {
    var certificate = 0
    _ = pabal_curl_get_long(handle, CURLINFO_SSL_VERIFYRESULT, &certificate)
    let detail = String(cString: errorText)
    errorText.pointee = 0
    return CurlError(code, detail: detail, certificate: certificate)
  }

  fileprivate func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = min(buffer.count, unsentBody.count)
    buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: unsentBody[..<count]))
    unsentBody = UnsafeRawBufferPointer(rebasing: unsentBody[count...])
    return count
  }
}

private func headerCallback(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let context else { return 0 }
  let handle = Unmanaged<CurlHandle>.fromOpaque(context).takeUnretainedValue()
  guard let onHeader = handle.onHeader else { return size * count }
  return onHeader(UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

private func writeCallback(
  _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let context else { return 0 }
  let handle = Unmanaged<CurlHandle>.fromOpaque(context).takeUnretainedValue()
  guard let onBody = handle.onBody else { return size * count }
  return onBody(UnsafeRawBufferPointer(start: bytes, count: size * count)) ? size * count : 0
}

private func readCallback(
  _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
  guard let context else { return Int(CURL_READFUNC_ABORT) }
  let handle = Unmanaged<CurlHandle>.fromOpaque(context).takeUnretainedValue()
  return handle.fill(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
}

extension Duration {
  /// The whole milliseconds in it, as libcurl and poll want them; what they can't hold is as long as they can.
  var wholeMilliseconds: Int {
    let (seconds, attoseconds) = components
    return Int(min(seconds, 2_000_000)) * 1_000 + Int(attoseconds / 1_000_000_000_000_000)
  }
}

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

  /// Hands bytes over and returns how many were taken; `nil`: none now, wait and offer the same again.
  public func send(_ bytes: UnsafeRawBufferPointer) throws(CurlError) -> Int? {
    var taken = 0
    let code = pabal_curl_send(handle, bytes.baseAddress, bytes.count, &taken)
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

  /// The last response's status, 0 when there was none.
  public var responseCode: Int { number(CURLINFO_RESPONSE_CODE) }
  /// How many bytes of the body the last `perform` sent.
  public var bytesSent: Int { offset(CURLINFO_SIZE_UPLOAD_T) }
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
