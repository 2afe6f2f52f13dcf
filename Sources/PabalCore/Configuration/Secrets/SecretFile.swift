internal import Glibc

/// Why a file that holds a secret was not read.
package struct SecretFileError: Error {
  /// What is wrong; one sentence without its full stop.
  package var message: String
  /// What to do next.
  package var remedy: String?
  /// Whether there is no such file.
  package var isMissing = false
  /// Whether trying again may help without anybody's doing.
  package var isTransient = false

  /// Why a file that holds a secret was not read.
  package init(message: String, remedy: String? = nil, isMissing: Bool = false, isTransient: Bool = false) {
    self.message = message
    self.remedy = remedy
    self.isMissing = isMissing
    self.isTransient = isTransient
  }
}

/// Reads a file that holds a secret, unless others than its owner may read or write it; blocks.
package func readSecretFile(_ path: String, atMost limit: Int) throws(SecretFileError) -> [UInt8] {
  var attributes = FileAttributes(mode: 0, owner: 0, isRegular: false)
  let octets: [UInt8]
  do throws(FileError) {
    octets = try readFile(path, atMost: limit) { (found) throws(FileError) in attributes = found }
  } catch {
    throw SecretFileError(
      message: error.message, remedy: error.remedy, isMissing: error.kind == .notFound, isTransient: error.isTransient)
  }
  guard attributes.isRegular else { throw SecretFileError(message: "\(path) is no regular file") }
  do throws(SecretError) {
    try SecretSource.checkPermissions(path, attributes, user: geteuid())
  } catch {
    throw SecretFileError(message: error.message, remedy: error.remedy)
  }
  return octets
}
