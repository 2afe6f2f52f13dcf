internal import CPabalCurl
internal import Glibc

/// The trusted certificate authorities.
public enum TrustRoots: Sendable, Hashable {
  /// The system's authorities.
  case system
  /// Only those in a PEM file, a directory of hashed certificates, or both.
  case only(file: String?, directory: String?)

  /// The system's bundle, which may contain authorities that its directory lacks; `nil` if `.system` uses it already.
  ///
  /// `perform` tries it by itself, except over an adopted connection.
  public static var systemBundle: TrustRoots? {
    guard SystemTrustRoots.hashedDirectory != nil, let bundle = SystemTrustRoots.bundle,
      access(bundle, R_OK) == 0
    else { return nil }
    return .only(file: bundle, directory: nil)
  }
}

/// The paths of the system's authorities, as configured when libcurl was built.
enum SystemTrustRoots {
  /// The directory of hashed certificates, if it contains any. A connection then reads only the one or two that it
  /// needs (3 to 7 ms) instead of the whole bundle (40 ms with Debian's).
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

  /// The bundle, if libcurl has one.
  static let bundle: String? = pabal_curl_version()?.pointee.cainfo.map { String(cString: $0) }
}
