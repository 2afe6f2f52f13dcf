internal import Glibc
internal import NIOCore
internal import NIOSSL
package import PabalCore
internal import Synchronization

/// The certificate and key of a listener, read again when their files change.
package final class ServerCertificate: Sendable {
  private struct State {
    var context: NIOSSLContext
    var expiry: Timestamp
  }

  private let configuration: SubmissionConfiguration
  private let state: Mutex<State>

  /// Reads the files that the configuration names. Blocks.
  package init(_ configuration: SubmissionConfiguration) throws(Diagnostic) {
    self.configuration = configuration
    state = Mutex(try ServerCertificate.read(configuration))
  }

  /// The files, each of which another program may replace.
  package static func files(of configuration: SubmissionConfiguration) -> [String] {
    [configuration.certificate, configuration.key, configuration.clientCA].compactMap(\.self)
  }

  /// When the first certificate of the chain expires.
  package var expiry: Timestamp { state.withLock { $0.expiry } }

  var context: NIOSSLContext { state.withLock { $0.context } }

  /// Reads the files again; keeps what it has if that fails. Connections keep the certificate that they began with. Blocks.
  package func reload() throws(Diagnostic) {
    let new = try ServerCertificate.read(configuration)
    state.withLock { $0 = new }
  }

  /// Returns who a client is that presented this certificate; `nil` if it presented none.
  func submitter(_ certificate: NIOSSLCertificate?) -> Submitter? {
    guard let bytes = try? certificate?.toDERBytes() else { return nil }
    let presented = ClientCertificate(bytes: bytes)
    // TLS accepts any certificate if no authority is configured.
    guard configuration.clientCA != nil || isListed(presented) else { return nil }
    return .certificate(presented.name(in: configuration.certificates))
  }

  private func isListed(_ certificate: ClientCertificate) -> Bool {
    let fingerprint = certificate.fingerprint
    return configuration.certificates.contains { $0.fingerprint == fingerprint }
  }

  /// Returns the handler of a new connection.
  func makeHandler() -> NIOSSLServerHandler {
    let context = context
    // Without an authority, the list of fingerprints decides after the handshake, which proves possession of the key.
    guard configuration.clientCA == nil, !configuration.certificates.isEmpty else {
      return NIOSSLServerHandler(context: context)
    }
    return NIOSSLServerHandler(context: context) { _, promise in promise.succeed(.certificateVerified) }
  }

  private static func read(_ configuration: SubmissionConfiguration) throws(Diagnostic) -> State {
    guard let path = configuration.certificate, let keyPath = configuration.key else {
      throw configuration.location.diagnostic("TLS needs \"certificate\" and \"key\"")
    }
    func failure(_ path: String, _ what: String, _ remedy: String? = nil) -> Diagnostic {
      configuration.location.diagnostic("\(path): \(what)", remedy: remedy)
    }
    let chain: [NIOSSLCertificate]
    do {
      chain = try NIOSSLCertificate.fromPEMBytes(try bytes(path, configuration))
    } catch let error as Diagnostic {
      throw error
    } catch {
      throw failure(
        path, "not a certificate in PEM form", "name the file of the whole chain, like fullchain.pem")
    }
    guard let leaf = chain.first else { throw failure(path, "contains no certificate") }
    let key: NIOSSLPrivateKey
    do {
      key = try NIOSSLPrivateKey(bytes: try bytes(keyPath, configuration), format: .pem)
    } catch let error as Diagnostic {
      throw error
    } catch {
      throw failure(
        keyPath, "not a private key in PEM form", "a key with a passphrase can't be used; remove it")
    }
    var tls = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
    tls.minimumTLSVersion = .tlsv12
    // Never the system's authorities, whose certificates anyone can buy.
    tls.trustRoots = .certificates([])
    tls.certificateVerification = .none
    if let authority = configuration.clientCA {
      do {
        let roots = try NIOSSLCertificate.fromPEMBytes(try bytes(authority, configuration))
        guard !roots.isEmpty else { throw failure(authority, "contains no certificate") }
        tls.trustRoots = .certificates(roots)
      } catch let error as Diagnostic {
        throw error
      } catch {
        throw failure(authority, "not a certificate in PEM form")
      }
      tls.sendCANameList = true
    }
    if configuration.acceptsCertificates { tls.certificateVerification = .optionalVerification }
    do {
      let context = try NIOSSLContext(configuration: tls)
      return State(context: context, expiry: Timestamp(milliseconds: Int64(leaf.notValidAfter) * 1_000))
    } catch {
      throw failure(keyPath, "not the key of the certificate in \(path)", "renew both together")
    }
  }

  private static func bytes(_ path: String, _ configuration: SubmissionConfiguration) throws(Diagnostic)
    -> [UInt8]
  {
    do throws(FileError) {
      return try readFile(path, atMost: 1 << 20)
    } catch {
      throw configuration.location.diagnostic(error.message, remedy: error.remedy)
    }
  }
}

/// The failure of a TLS handshake.
enum TLSFailure {
  /// Whether an error only says that the client has gone, as port scanners and health checks do.
  static func isEndOfInput(_ error: any Error) -> Bool {
    switch error {
    case NIOSSLError.handshakeFailed(.sslError(let stack)): stack.contains(.eofDuringHandshake)
    case NIOSSLError.uncleanShutdown: true
    case is IOError, is ChannelError: true
    default: false
    }
  }
}
