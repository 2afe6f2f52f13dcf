internal import Glibc

/// Why a file that holds a secret was not read.
package struct SecretFileProblem: Error {
  /// What is wrong; one sentence without its full stop.
  package var what: String
  /// What to do next.
  package var cure: String?
  /// Whether there is no such file.
  package var isMissing = false
  /// Whether trying again may help without anybody's doing.
  package var passes = false

  /// Why a file that holds a secret was not read.
  package init(what: String, cure: String? = nil, isMissing: Bool = false, passes: Bool = false) {
    self.what = what
    self.cure = cure
    self.isMissing = isMissing
    self.passes = passes
  }
}

/// Reads a file that holds a secret, unless others than its owner may read or write it; blocks.
package func readSecretFile(_ path: String, atMost limit: Int) throws(SecretFileProblem) -> [UInt8] {
  var facts = FileFacts(mode: 0, owner: 0, isRegular: false)
  let octets: [UInt8]
  do throws(FileProblem) {
    octets = try readFile(path, atMost: limit) { (found) throws(FileProblem) in facts = found }
  } catch {
    throw SecretFileProblem(
      what: error.what, cure: error.cure, isMissing: error.kind == .notFound, passes: error.passes)
  }
  guard facts.isRegular else { throw SecretFileProblem(what: "\(path) is no regular file") }
  do throws(SecretProblem) {
    try SecretSource.refuseIfOpenToOthers(path, facts, user: geteuid())
  } catch {
    throw SecretFileProblem(what: error.what, cure: error.cure)
  }
  return octets
}
