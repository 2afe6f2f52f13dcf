internal import Glibc

/// The server a transport speaks to, and how.
struct SMTPServer: Sendable {
  /// How the connection is secured.
  enum Security: String, Sendable, CaseIterable {
    /// TLS from the first octet.
    case tls = "tls"
    /// STARTTLS before anything else.
    case starttls = "starttls"
    /// Not at all; only towards this machine.
    case none = "none"
  }

  let host: String
  let port: Int
  let security: Security
  let ehlo: String
  let login: SMTPLogin
  var certificateFile: String?
  var certificateDirectory: String?
  /// The longest silence, in milliseconds.
  var timeout = 60_000

  /// `host:port`, for people.
  var name: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// What libcurl connects to; the path is the EHLO name.
  var url: String { "\(security == .tls ? "smtps" : "smtp")://\(name)/\(ehlo)" }

  /// The setting that names a file or directory of authorities which isn't there, with its path.
  var missingTrustFile: String? {
    for (key, path) in [("ca_file", certificateFile), ("ca_directory", certificateDirectory)] {
      if let path, access(path, F_OK) != 0 { return "\"\(key)\" \(path)" }
    }
    return nil
  }

  /// Whether the host is this machine by its very name: libcurl gives `localhost` no other address.
  var isLoopback: Bool {
    let numbers = host.split(separator: ".", omittingEmptySubsequences: false)
    let isFour = numbers.count == 4 && numbers.allSatisfy { UInt8($0) != nil } && numbers[0] == "127"
    return isFour || host == "::1" || host.lowercased() == "localhost"
  }
}
