internal import CPabalCurl
internal import Glibc

/// Whose certificates are believed.
public enum TrustRoots: Sendable, Hashable {
  /// The system's authorities.
  case system
  /// Only these: a PEM file, a directory of hashed certificates, or both.
  case only(file: String?, directory: String?)
}

/// Where the system keeps its authorities, as libcurl was built.
enum SystemTrustRoots {
  /// The directory of hashed certificates, if it holds any: a connection then reads the one or two it needs
  /// (3 to 7 ms), not the whole bundle (40 ms with Debian's).
  static let hashedDirectory: String? = {
    guard let name = pabal_curl_version()?.pointee.capath else { return nil }
    guard let directory = opendir(name) else { return nil }
    defer { closedir(directory) }
    while let entry = readdir(directory) {
      let isHash = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: 256) { text in
          strlen(text) == 10 && strcmp(text + 8, ".0") == 0
        }
      }
      if isHash { return String(cString: name) }
    }
    return nil
  }()

  /// The bundle, if libcurl knows one.
  static let bundle: String? = pabal_curl_version()?.pointee.cainfo.map { String(cString: $0) }
}
