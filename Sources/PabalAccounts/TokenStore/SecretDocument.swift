internal import PabalCore
internal import PabalFormats

/// A JSON object in a file that other users can't read.
struct SecretDocument {
  let path: String
  let root: JSONValue

  /// The largest size of a file, in bytes; Google's have less than 3,000.
  static let sizeLimit = 262_144

  /// Reads a file; `kind` says in errors what it should be. Errors never contain any of the content.
  static func read(
    _ path: String, as kind: String, remedy: String? = "download it again"
  ) throws(SecretFileError) -> SecretDocument {
    let bytes = try readSecretFile(path, atMost: sizeLimit)
    // The first bytes of a pickle with protocol 2 to 5; Google's old samples stored tokens in `token.pickle`.
    if bytes.count > 1, bytes[0] == 0x80, 2...5 ~= bytes[1] {
      throw SecretFileError(
        message: "\(path) is a Python pickle, which Pabal doesn't read because pickles can run code",
        remedy:
          "convert it in Python with open(\"token.json\", \"w\").write(creds.to_json()) and name that file, "
          + "or log in again: pabal account login")
    }
    let root: JSONValue
    do throws(Diagnostic) {
      root = try JSONParser.read(bytes, file: path)
    } catch {
      // The parser's message may quote a piece of the file.
      let place = error.position.map { " (line \($0.line), column \($0.column))" } ?? ""
      throw SecretFileError(message: "\(path) isn't valid JSON\(place); expected a \(kind)", remedy: remedy)
    }
    guard case .object = root.content else {
      throw SecretFileError(message: "\(path) contains \(root.kind); expected a \(kind)")
    }
    return SecretDocument(path: path, root: root)
  }
}

extension JSONValue {
  /// The last value of `key`, as in other parsers; `nil` if it is missing or null.
  subscript(key: String) -> JSONValue? {
    guard let value = member(key, ifRepeated: .last), value.content != .null else { return nil }
    return value
  }

  /// The string, if it is one and isn't empty.
  var text: String? {
    guard case .string(let text) = content, !text.isEmpty else { return nil }
    return text
  }

  /// The value as a whole number; some servers write it as a string.
  var wholeNumber: Int64? {
    switch content {
    case .number(let text), .string(let text):
      Int64(text) ?? Double(text).flatMap { Int64(exactly: $0.rounded(.down)) }
    case .null, .boolean, .array, .object: nil
    }
  }

  /// The strings of an array, or the words of a string separated by spaces.
  var words: [String]? {
    switch content {
    case .string(let text): text.split(separator: " ").map(String.init)
    case .array(let elements): elements.compactMap(\.text)
    case .null, .boolean, .number, .object: nil
    }
  }
}
