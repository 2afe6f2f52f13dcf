internal import CPabalCurl
internal import Glibc

/// An easy handle of libcurl, used by one thread at a time and kept for its caches.
///
/// It ignores proxy variables (also `no_proxy`) and netrc files of the environment. TLS is 1.2 or newer, names and certificates are
/// always verified, and redirects aren't followed.
public final class CurlHandle {
  /// Called with each header line of a response or line of a mail server's reply; `false` stops the transfer.
  public var onHeader: ((UnsafeRawBufferPointer) -> Bool)?
  /// Called with each piece of a response's body; `false` stops the transfer.
  public var onBody: ((UnsafeRawBufferPointer) -> Bool)?

  /// Called about once a second during a transfer, and more often while it makes progress.
  public var onProgress: (() -> Void)? {
    didSet {
      _ = pabal_curl_set_progress(
        handle, onProgress == nil ? nil : progressCallback, Unmanaged.passUnretained(self).toOpaque())
    }
  }

  let handle: UnsafeMutableRawPointer
  private let errorText: UnsafeMutablePointer<CChar>
  private var headers: UnsafeMutablePointer<curl_slist>?
  private var addresses: UnsafeMutablePointer<curl_slist>?
  private var trust = TrustRoots.system
  private var isTrustSet = false
  /// Whether the connection is another handle's, so that it can't be made again.
  var isAdopted = false
  /// That handle, which must keep its socket open until `perform` has duplicated it.
  var adoptedHandle: CurlHandle?
  private var proxy: CurlProxy?
  private var unsentBody = UnsafeRawBufferPointer(start: nil, count: 0)
  var socket: CInt = -1

  private static let isLibraryInitialized = pabal_curl_global_init() == CURLE_OK

  /// A handle for `protocols` only, libcurl's names separated by commas: `"smtp,smtps"`.
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
      // Otherwise no_proxy would decide for which hosts a configured proxy is used.
      pabal_curl_set_text(handle, CURLOPT_NOPROXY, ""),
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
    pabal_curl_list_free(addresses)
    errorText.deallocate()
  }

  /// Sets an option, or resets it with `nil`. Throws if the text contains a NUL.
  public func set(_ option: CurlOption<String>, _ value: String?) throws(CurlError) {
    if let value, value.utf8.contains(0) { throw CurlError(CURLE_BAD_FUNCTION_ARGUMENT) }
    try check(pabal_curl_set_text(handle, option.option, value))
  }

  /// Sets an option.
  public func set(_ option: CurlOption<Bool>, _ value: Bool) throws(CurlError) {
    try check(pabal_curl_set_long(handle, option.option, value ? 1 : 0))
  }

  /// Sets an option to at least one millisecond, because 0 means libcurl's default.
  public func set(_ option: CurlOption<Duration>, _ value: Duration) throws(CurlError) {
    try check(pabal_curl_set_long(handle, option.option, max(1, value.wholeMilliseconds)))
  }

  /// Sets the HTTP version.
  public func set(_ version: CurlHTTPVersion) throws(CurlError) {
    let number = version == .http1 ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS
    try check(pabal_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(number)))
  }

  /// Sets the request's header lines, `Name: value`. Throws if a line contains CR, LF or NUL.
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

  /// Sets the address of a host instead of resolving its name.
  func setAddress(_ address: String, ofHost host: String, port: Int) throws(CurlError) {
    guard let list = pabal_curl_list_append(nil, "\(host):\(port):\(address)") else {
      throw CurlError(CURLE_OUT_OF_MEMORY)
    }
    let code = pabal_curl_set_list(handle, CURLOPT_RESOLVE, list)
    pabal_curl_list_free(addresses)
    addresses = list
    try check(code)
  }

  /// Sets the trusted authorities; by default, the system's.
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

  /// Sets the proxy through which connections are opened; by default, and for `nil`, none.
  public func setProxy(_ proxy: CurlProxy?) throws(CurlError) {
    try check(pabal_curl_set_text(handle, CURLOPT_PROXY, proxy?.url ?? ""))
    try set(.proxyUser, proxy?.user)
    try set(.proxyPassword, proxy?.password)
    try check(pabal_curl_set_long(handle, CURLOPT_HTTPPROXYTUNNEL, proxy == nil ? 0 : 1))
    // Callers read the server's header only.
    try check(pabal_curl_set_long(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1))
    // libcurl asks the proxy first which of these it accepts.
    try check(pabal_curl_set_long(handle, CURLOPT_PROXYAUTH, pabal_curl_proxy_logins))
    self.proxy = proxy
  }

  /// Performs the transfer and blocks until it has ended; sends `body` if the options include one.
  public func perform(
    sending body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
  ) throws(CurlError) {
    if !isTrustSet { try setTrustRoots(trust) }
    unsentBody = body
    defer {
      unsentBody = UnsafeRawBufferPointer(start: nil, count: 0)
      adoptedHandle = nil
    }
    try check(pabal_curl_set_offset(handle, CURLOPT_INFILESIZE_LARGE, curl_off_t(body.count)))
    try check(pabal_curl_set_offset(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count)))
    do throws(CurlError) {
      try performOnce()
    } catch {
      // The bundle may contain authorities that the directory lacks. Nothing has been sent yet.
      guard error.code == .untrusted, trust == .system, !isAdopted,
        SystemTrustRoots.hashedDirectory != nil,
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
    var proxyStatus = 0
    if proxy != nil { _ = pabal_curl_get_long(handle, CURLINFO_HTTP_CONNECTCODE, &proxyStatus) }
    let detail = String(cString: errorText)
    errorText.pointee = 0
    return CurlError(code, detail: detail, certificate: certificate, proxyStatus: proxyStatus)
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

private func progressCallback(
  _ context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> CInt {
  guard let context else { return 0 }
  Unmanaged<CurlHandle>.fromOpaque(context).takeUnretainedValue().onProgress?()
  return 0
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
  /// The duration in whole milliseconds, limited to what libcurl and poll accept.
  var wholeMilliseconds: Int {
    let (seconds, attoseconds) = components
    return Int(min(seconds, 2_000_000)) * 1_000 + Int(attoseconds / 1_000_000_000_000_000)
  }
}

/// Reading and writing over a connection made with `connectOnly`.
///
/// A TLS rule for callers: after `send` returned `nil`, the next call must pass the same address and length, because
/// part of the bytes may have been sent already.
extension CurlHandle {
  /// What to wait for.
  public enum Readiness: Sendable {
    /// There is something to read, or the peer has closed the connection.
    case readable
    /// There is something to read, or more can be sent.
    case either
  }

  /// Sends bytes and returns how many were accepted; `nil` if none now: wait, then pass the same bytes again.
  public func send(_ bytes: UnsafeRawBufferPointer) throws(CurlError) -> Int? {
    var taken = 0
    let code = pabal_curl_send(handle, bytes.baseAddress, bytes.count, &taken)
    if code == CURLE_OK { return taken }
    if code == CURLE_AGAIN { return nil }
    throw makeError(code)
  }

  /// Reads bytes and returns how many; 0 if the peer has closed the connection, `nil` if there is nothing to read.
  public func receive(into buffer: UnsafeMutableRawBufferPointer) throws(CurlError) -> Int? {
    var count = 0
    let code = pabal_curl_receive(handle, buffer.baseAddress, buffer.count, &count)
    if code == CURLE_OK { return count }
    if code == CURLE_AGAIN { return nil }
    throw makeError(code)
  }

  /// Blocks until the connection is ready; returns `false` after `milliseconds`.
  public func wait(for readiness: Readiness, milliseconds: Int) -> Bool {
    let events = readiness == .readable ? POLLIN : POLLIN | POLLOUT
    var entry = pollfd(fd: socket, events: Int16(events), revents: 0)
    // On EINTR it returns `true`; callers check their deadline anyway.
    return poll(&entry, 1, CInt(clamping: milliseconds)) != 0
  }

  /// The last response's status; 0 if there was none.
  public var responseCode: Int { number(CURLINFO_RESPONSE_CODE) }
  /// How many bytes of the body the last `perform` sent.
  public var bytesSent: Int { offset(CURLINFO_SIZE_UPLOAD_T) }
  /// The seconds in the last response's Retry-After header; 0 if there were none.
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
