internal import Glibc
internal import PabalCore

/// Whose a token file and its folder are: whoever may replace the one through the other has mail sent as he likes.
enum FileOwnership {
  /// Refuses a token file of another user's, and a folder where others may put one; that it isn't there is no error.
  ///
  /// Root serves everybody, and what is root's nobody else has put there.
  static func rejectForeignOwner(_ path: String) throws(SecretFileError) {
    let real = PrivateFile.resolvedPath(of: path)
    try checkOwner(PrivateFile.parent(of: real), isDirectory: true)
    try checkOwner(real, isDirectory: false)
  }

  private static func checkOwner(_ path: String, isDirectory: Bool) throws(SecretFileError) {
    var facts = stat()
    guard stat(path, &facts) == 0 else { return }
    let user = geteuid()
    let name = shellQuoted(path)
    if facts.st_uid != user, facts.st_uid != 0, user != 0 {
      throw SecretFileError(
        message: "\(path) belongs to another user (uid \(facts.st_uid))",
        remedy: "sudo chown \"$(id -un)\" \(name)")
    }
    // In a folder with the sticky bit nobody replaces what isn't his.
    guard isDirectory, facts.st_mode & 0o022 != 0, facts.st_mode & S_ISVTX == 0 else { return }
    throw SecretFileError(
      message:
        "others may put a token file into \(path): its mode is \(String(facts.st_mode & 0o777, radix: 8))",
      remedy: (facts.st_uid == user ? "" : "sudo ") + "chmod go-w \(name)")
  }
}
