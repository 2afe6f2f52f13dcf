internal import NIOSSL
internal import PabalCore

/// How a client proved who it is when it connected or logged in. The settings in use decide whether that still counts.
struct ClientProof {
  /// The certificate that TLS received.
  var certificate: NIOSSLCertificate?
  /// The file of authorities by which TLS verified the certificate.
  var authority: String?
  /// The hash of the password that was right.
  var password: PasswordHash?

  /// Whether a client that proved to be `submitter` may send by these settings.
  func admits(_ submitter: Submitter, _ settings: ListenerSettings) -> Bool {
    let configuration = settings.configuration
    switch submitter {
    case .user(let name):
      return configuration.users.contains { $0.name == name && $0.password == password }
    case .network(let address):
      return IPAddress(address).map(configuration.isListed) ?? false
    case .certificate:
      // Another authority hasn't verified it.
      guard configuration.clientCA == nil || configuration.clientCA == authority else { return false }
      return settings.certificate?.submitter(certificate) == submitter
    case .local: return true
    }
  }
}
