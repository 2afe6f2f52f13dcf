internal import Glibc
internal import PabalCore

/// Whose a token file and its folder are: whoever may replace the one through the other has mail sent as he likes.
enum FileOwnership {
  /// Refuses a token file of another user's, and a folder where others may put one; that it isn't there is no error.
  ///
  /// Root serves everybody, and what is root's nobody else has put there.
  static func refuseForeign(_ path: String) throws(SecretFileProblem) {
    let real = PrivateFile.target(of: path)
    try refuse(PrivateFile.parent(of: real), mayBeShared: true)
    try refuse(real, mayBeShared: false)
  }

  private static func refuse(_ path: String, mayBeShared: Bool) throws(SecretFileProblem) {
    var facts = stat()
    guard stat(path, &facts) == 0 else { return }
    let user = geteuid()
    let name = shellWord(path)
    if facts.st_uid != user, facts.st_uid != 0, user != 0 {
      throw SecretFileProblem(
        what: "\(path) belongs to another user (uid \(facts.st_uid))",
        cure: "sudo chown \"$(id -un)\" \(name)")
    }
    // In a folder with the sticky bit nobody replaces what isn't his.
    guard mayBeShared, facts.st_mode & 0o022 != 0, facts.st_mode & S_ISVTX == 0 else { return }
    throw SecretFileProblem(
      what:
        "others may put a token file into \(path): its mode is \(String(facts.st_mode & 0o777, radix: 8))",
      cure: (facts.st_uid == user ? "" : "sudo ") + "chmod go-w \(name)")
  }
}
