internal import Glibc

/// The process at the other end of a Unix socket, by its user.
struct LocalPeer: Sendable {
  /// `struct ucred` of unix(7), which glibc declares only for GNU programs.
  struct Credentials: Sendable {
    var pid: Int32 = 0
    var uid: UInt32 = .max
    var gid: UInt32 = .max
  }

  /// The socket option for them (unix(7)).
  static let credentialsOption = SO_PEERCRED

  /// The user id of the process when it connected.
  let uid: UInt32

  /// The login name of the user, or the number if the user has no name.
  var name: String {
    // Records of directory services may be long.
    for size in [1_024, 65_536] {
      var record = passwd()
      var found: UnsafeMutablePointer<passwd>?
      var buffer = [CChar](repeating: 0, count: size)
      let problem = getpwuid_r(uid, &record, &buffer, buffer.count, &found)
      guard problem != ERANGE else { continue }
      guard problem == 0, found != nil, let text = record.pw_name else { break }
      let name = String(cString: text)
      if !name.isEmpty { return name }
    }
    return "\(uid)"
  }
}
