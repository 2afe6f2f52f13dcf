internal import PabalCore
internal import PabalFormats

/// A JSON object in a file that nobody else may read.
struct SecretDocument {
  let path: String
  let root: JSONValue

  /// The most bytes such a file has; Google's are below 3,000.
  private static let sizeLimit = 262_144

  /// Reads it; `kind` says what it should be, for errors. Nothing of the content is ever in an error.
  static func read(
    _ path: String, as kind: String, remedy: String? = "fetch it anew"
  ) throws(SecretFileError) -> SecretDocument {
    let bytes = try readSecretFile(path, atMost: sizeLimit)
    // Protocol 2 and later begin so; Google's old samples kept their tokens in `token.pickle`.
    if bytes.count > 1, bytes[0] == 0x80, 2...5 ~= bytes[1] {
      throw SecretFileError(
        message: "\(path) is a Python pickle, which runs code when it is read, so Pabal never reads one",
        remedy: "in Python: open(\"token.json\", \"w\").write(creds.to_json()), then name that file; "
          + "or log in anew: pabal account login")
    }
    let root: JSONValue
    do throws(Diagnostic) {
      root = try JSONParser.read(bytes, file: path)
    } catch {
      // The reader's own words may hold a piece of the file.
      let place = error.position.map { " (line \($0.line), column \($0.column))" } ?? ""
      throw SecretFileError(message: "\(path) is no JSON\(place), so it is no \(kind)", remedy: remedy)
    }
    guard case .object = root.content else {
      throw SecretFileError(message: "\(path) holds \(root.kind), so it is no \(kind)")
    }
    return SecretDocument(path: path, root: root)
  }
}

extension JSONValue {
  /// The last value of `key`, as other readers take it; `nil` where there is none or it is null.
  subscript(key: String) -> JSONValue? {
    guard let value = member(key, ifRepeated: .last), value.content != .null else { return nil }
    return value
  }

  /// The text, if it is one and isn't empty.
  var text: String? {
    guard case .string(let text) = content, !text.isEmpty else { return nil }
    return text
  }

  /// The whole number, which some servers write as a string.
  var wholeNumber: Int64? {
    switch content {
    case .number(let text), .string(let text):
      Int64(text) ?? Double(text).flatMap { Int64(exactly: $0.rounded(.down)) }
    case .null, .boolean, .array, .object: nil
    }
  }

  /// A list of words, or words with blanks between.
  var words: [String]? {
    switch content {
    case .string(let text): text.split(separator: " ").map(String.init)
    case .array(let elements): elements.compactMap(\.text)
    case .null, .boolean, .number, .object: nil
    }
  }
}
