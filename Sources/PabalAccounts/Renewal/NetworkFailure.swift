internal import PabalCurl

extension TokenFailure {
  /// Why `host` was not reached.
  init(_ failure: CurlFailure, host: String) {
    switch failure.code {
    case .unresolved:
      self.init(
        .passing, "the name \(host) has no address now", cure: "see whether this machine is on the Internet")
    case .unreachable:
      self.init(
        .passing, "\(host) can't be reached",
        cure: "see whether this machine, or a firewall, lets it out to port 443")
    case .timedOut: self.init(.passing, "\(host) didn't answer in time")
    case .untrusted:
      self.init(
        .setUp, "the certificate that \(host) shows is not to be trusted (\(failure.detail))",
        cure: "install ca-certificates, see whether the clock is right, and whether a proxy opens TLS",
        retryAfter: .seconds(60))
    case .noTrustStore:
      self.init(
        .setUp, "the system's certificates can't be read", cure: "apt-get install ca-certificates",
        retryAfter: .seconds(60))
    case .handshake: self.init(.passing, "no TLS could be agreed on with \(host) (\(failure.detail))")
    case .stopped: self.init(.passing, "\(host) answers with more than Pabal wants to read")
    default: self.init(.passing, "the connection to \(host) broke (\(failure))")
    }
  }
}
