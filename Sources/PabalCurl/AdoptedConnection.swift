internal import CPabalCurl

/// Adding TLS to a connection that is already in use, as STARTTLS does.
extension CurlHandle {
  /// Lets the next `perform` use the connection of `other`, which was made to `host` and `port` and must not be read or
  /// written any more. With an `https` URL of them, it adds TLS and verifies the certificate.
  public func adoptConnection(of other: CurlHandle, toHost host: String, port: Int) throws(CurlError) {
    try check(pabal_curl_adopt(handle, other.socket))
    isAdopted = true
    adoptedHandle = other
    // Any address, because nothing connects; otherwise the name would be resolved a second time.
    if !host.utf8.contains(UInt8(ascii: ":")) { try setAddress("127.0.0.1", ofHost: host, port: port) }
  }

  /// The address of the peer of the last connection; `nil` if there is none.
  public var peerAddress: String? {
    var address: UnsafePointer<CChar>?
    guard pabal_curl_get_text(handle, CURLINFO_PRIMARY_IP, &address) == CURLE_OK, let address else {
      return nil
    }
    return String(cString: address)
  }
}
