internal import Glibc

/// Why a secret could not be had.
struct SecretProblem: Error {
  var what: String
  var cure: String?
  /// Whether trying again may help without anybody's doing.
  var passes = false

  func diagnostic(at place: SettingPlace) -> Diagnostic { place.diagnostic(what, cure: cure) }
}

/// The value of a variable of this process's environment.
@Sendable func processEnvironment(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}

extension SecretSource {
  /// The secret, without control characters; blocks.
  func fetch(_ access: SecretAccess) throws(SecretProblem) -> String {
    switch self {
    case .environment(let name):
      guard let text = access.environment(name) else {
        throw SecretProblem(
          what: "the environment variable \(name) isn't set", cure: "set it: export \(name)=…")
      }
      return try checked(text, from: "the environment variable \(name)")
    case .file(let path):
      return try secret(Self.octets(ofFile: path, atMost: access.sizeLimit), from: path)
    case .command(let words):
      let command = SecretCommand(words: words, timeout: access.commandTimeout, sizeLimit: access.sizeLimit)
      return try secret(command.run(), from: "the command \(command.name)")
    }
  }

  private static func octets(ofFile path: String, atMost limit: Int) throws(SecretProblem) -> [UInt8] {
    var facts = FileFacts(mode: 0, owner: 0, isRegular: false)
    let octets: [UInt8]
    do throws(FileProblem) {
      octets = try readFile(path, atMost: limit) { (found) throws(FileProblem) in facts = found }
    } catch {
      throw SecretProblem(what: error.what, cure: error.cure, passes: error.passes)
    }
    guard facts.isRegular else {
      throw SecretProblem(
        what: "\(path) is no regular file", cure: "read it by {\"command\": [\"cat\", \(inJSON(path))]}")
    }
    try refuseIfOpenToOthers(path, facts, user: geteuid())
    return octets
  }

  /// Nobody else may read or write a secret. As PostgreSQL has it, root may lend it to a group: then
  /// it isn't this user's to mend, and mode 600 would lock this user out.
  static func refuseIfOpenToOthers(
    _ path: String, _ facts: FileFacts, user: UInt32
  ) throws(SecretProblem) {
    let lentByRoot = facts.owner == 0 && user != 0
    let open = facts.mode & (lentByRoot ? 0o026 : 0o066)
    guard open != 0 else { return }
    let verb = open & 0o044 != 0 ? "read" : "written"
    let name = shellWord(path)
    throw SecretProblem(
      what: "\(path) may be \(verb) by others: its mode is \(String(facts.mode & 0o777, radix: 8))",
      cure: facts.owner == user
        ? "chmod 600 \(name)" : "sudo chown \"$(id -un)\" \(name) && sudo chmod 600 \(name)")
  }

  private func secret(_ octets: [UInt8], from origin: String) throws(SecretProblem) -> String {
    var octets = octets[...]
    if octets.last == UInt8(ascii: "\n") {
      octets.removeLast()
      if octets.last == UInt8(ascii: "\r") { octets.removeLast() }
    }
    guard let text = String(validating: octets, as: UTF8.self) else {
      throw SecretProblem(what: "\(origin) gives something that isn't UTF-8")
    }
    return try checked(text, from: origin)
  }

  private func checked(_ text: String, from origin: String) throws(SecretProblem) -> String {
    guard !text.isEmpty else { throw SecretProblem(what: "\(origin) is empty") }
    guard !text.holdsControlCharacter else {
      throw SecretProblem(
        what: "\(origin) gives a line break or another control character inside the secret",
        cure: "keep the secret alone, on one line")
    }
    return text
  }
}

extension FileProblem {
  /// Whether trying again may help without anybody's doing.
  var passes: Bool {
    switch kind {
    case .other(EMFILE), .other(ENFILE), .other(ENOMEM), .other(EIO), .other(ESTALE), .other(ETIMEDOUT): true
    case .notFound, .notPermitted, .directory, .tooLarge, .other: false
    }
  }
}

/// `word` as a shell takes it for one word.
package func shellWord(_ word: String) -> String {
  let plain = word.utf8.allSatisfy { octet in
    switch octet {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "-"), 0x80...0xFF:
      true
    default: false
    }
  }
  if plain { return word }
  return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
}

/// A text as a JSON string, to be copied from an error into the file.
private func inJSON(_ text: String) -> String {
  "\"" + printable(text).replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
}
