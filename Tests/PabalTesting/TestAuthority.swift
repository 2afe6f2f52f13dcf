import Foundation

/// A certificate authority that only tests trust, and certificates of it.
public final class TestAuthority: Sendable {
  /// The shared authority, created once per test run.
  public static let shared = Result { try TestAuthority() }

  private let directory: TemporaryDirectory
  /// The certificate of the authority (PEM).
  public var authority: String { "\(directory.path)/ca.pem" }
  /// The private key of all certificates.
  public var key: String { "\(directory.path)/key.pem" }
  /// A certificate for `localhost`, `127.0.0.1`, `::1` and `server.pabal.test`, a name without an address.
  public var good: String { "\(directory.path)/good.pem" }
  /// An expired certificate.
  public var expired: String { "\(directory.path)/expired.pem" }
  /// A certificate for another name.
  public var foreign: String { "\(directory.path)/foreign.pem" }

  private init() throws {
    directory = try TemporaryDirectory()
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    try openSSL(
      ["req", "-x509"] + curve
        + [
          "-days", "30", "-subj", "/CN=Pabal test authority", "-addext",
          "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
          "-keyout", "ca.key", "-out", "ca.pem",
        ])
    try openSSL(["req"] + curve + ["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "request.pem"])
    try certificate("good.pem", names: "DNS:localhost,DNS:server.pabal.test,IP:127.0.0.1,IP:::1", days: 30)
    try certificate("expired.pem", names: "DNS:localhost,IP:127.0.0.1", days: -1)
    try certificate("foreign.pem", names: "DNS:somebody-else.example", days: 30)
  }

  private func certificate(_ name: String, names: String, days: Int) throws {
    let extensions = try directory.write(
      "subjectAltName=\(names)\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n", to: "extensions")
    try openSSL([
      "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
      "\(days)", "-extfile", extensions, "-out", name,
    ])
  }

  private func openSSL(_ arguments: [String]) throws {
    let child = try ChildProcess.run("openssl", arguments, directory: directory.path)
    guard child.status == 0 else { throw TestError("openssl: \(child.errors)") }
  }
}

/// A failure of the test environment.
public struct TestError: Error, CustomStringConvertible {
  /// What went wrong.
  public let description: String
  /// Creates a failure with this text.
  public init(_ description: String) { self.description = description }
}
