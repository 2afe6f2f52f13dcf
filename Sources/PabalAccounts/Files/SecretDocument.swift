internal import PabalCore

/// A JSON object in a file that nobody else may read.
struct SecretDocument {
  let path: String
  let root: JSONNode

  /// The most octets such a file has; Google's are below 3,000.
  private static let sizeLimit = 262_144

  /// Reads it; `kind` says what it should be, for errors. Nothing of the content is ever in an error.
  static func read(
    _ path: String, as kind: String, remedy: String? = "fetch it anew"
  ) throws(SecretFileError) -> SecretDocument {
    let octets = try readSecretFile(path, atMost: sizeLimit)
    // Protocol 2 and later begin so; Google's old samples kept their tokens in `token.pickle`.
    if octets.count > 1, octets[0] == 0x80, 2...5 ~= octets[1] {
      throw SecretFileError(
        message: "\(path) is a Python pickle, which runs code when it is read, so Pabal never reads one",
        remedy: "in Python: open(\"token.json\", \"w\").write(creds.to_json()), then name that file; "
          + "or log in anew: pabal account login")
    }
    let root: JSONNode
    do throws(Diagnostic) {
      root = try JSONParser.read(octets, file: path)
    } catch {
      // The reader's own words may hold a piece of the file.
      let place = error.position.map { " (line \($0.line), column \($0.column))" } ?? ""
      throw SecretFileError(message: "\(path) is no JSON\(place), so it is no \(kind)", remedy: remedy)
    }
    guard case .object = root.value else {
      throw SecretFileError(message: "\(path) holds \(root.kind), so it is no \(kind)")
    }
    return SecretDocument(path: path, root: root)
  }
}
