internal import PabalCurl

extension TokenError {
  /// Why `host` was not reached.
  init(_ failure: CurlError, host: String) {
    switch failure.code {
    case .unresolved:
      self.init(
        .transient, "the name \(host) has no address now", remedy: "see whether this machine is on the Internet")
    case .unreachable:
      self.init(
        .transient, "\(host) can't be reached",
        remedy: "see whether this machine, or a firewall, lets it out to port 443")
    case .timedOut: self.init(.transient, "\(host) didn't answer in time")
    case .untrusted:
      self.init(
        .setUp, "the certificate that \(host) shows is not to be trusted (\(failure.detail))",
        remedy: "install ca-certificates, see whether the clock is right, and whether a proxy opens TLS",
        retryAfter: .seconds(60))
    case .noTrustStore:
      self.init(
        .setUp, "the system's certificates can't be read", remedy: "apt-get install ca-certificates",
        retryAfter: .seconds(60))
    case .handshake: self.init(.transient, "no TLS could be agreed on with \(host) (\(failure.detail))")
    case .abortedByCallback: self.init(.transient, "\(host) answers with more than Pabal wants to read")
    default: self.init(.transient, "the connection to \(host) broke (\(failure))")
    }
  }
}
