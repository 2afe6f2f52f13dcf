internal import NIOSSL
internal import PabalCore

/// The client of a connection: what is known of it, and what it has proved.
struct ConnectedClient {
  /// Who it is for the session.
  var peer: SMTPPeer
  /// How it proved that.
  var proof = ClientProof()
  /// The network of the client, or its user on this machine, for all that is limited per client.
  let key: String
  /// The largest number of connections with the same key; `nil`: any.
  let connectionLimit: Int?

  /// Whether it is a process of this machine, on the Unix socket.
  var isLocal: Bool { peer.address == nil }
  /// The address as events and the log show it.
  var shownAddress: String { peer.address ?? "local" }

  /// A client at `address`.
  init(_ address: IPAddress?, _ configuration: SubmissionConfiguration) {
    peer = SMTPPeer(address: address?.description ?? "unknown")
    if let address, configuration.isListed(address) { peer.submitter = .network(address.description) }
    key = address?.network ?? "unknown"
    connectionLimit = address?.isLoopback == true ? nil : configuration.limits.perAddress
  }

  /// A process of this machine.
  init(_ local: LocalPeer, _ configuration: SubmissionConfiguration) {
    peer = SMTPPeer(address: nil, submitter: .local(local.name))
    key = "uid \(local.uid)"
    connectionLimit = configuration.limits.perAddress
  }

  /// Records what TLS showed; returns who the certificate stands for.
  mutating func secured(with certificate: NIOSSLCertificate?, _ settings: ListenerSettings?) -> Submitter? {
    proof.certificate = certificate
    proof.authority = settings?.configuration.clientCA
    return settings?.certificate?.submitter(certificate)
  }

  /// Returns the policy of a session with this client.
  func policy(_ settings: ListenerSettings) -> SMTPSessionPolicy {
    let configuration = settings.configuration
    var policy = settings.policy
    policy.offersTLS = !isLocal && configuration.security == .startTLS && settings.certificate != nil
    policy.allowsPlaintextLogin = isLocal
    policy.acceptsQueueIDs = isLocal
    policy.hasUsers = !configuration.users.isEmpty && (isLocal || configuration.security != .none)
    return policy
  }
}
