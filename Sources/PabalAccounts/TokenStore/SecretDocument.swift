internal import PabalCore

/// A JSON object in a file that nobody else may read.
struct SecretDocument {
  let path: String
  let root: JSONNode

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
    let root: JSONNode
    do throws(Diagnostic) {
      root = try JSONParser.read(bytes, file: path)
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

extension JSONNode {
  /// A node that stands in no file.
  init(_ value: Value) { self.init(value, at: SourcePosition(line: 1, column: 1)) }

  static func text(_ text: String) -> JSONNode { JSONNode(.string(text)) }

  /// The last value of `key`, as other readers take it; `nil` where there is none or it is null.
  subscript(key: String) -> JSONNode? {
    guard case .object(let members) = value, let node = members.last(where: { $0.key == key })?.node,
      node.value != .null
    else { return nil }
    return node
  }

  /// The text, if it is one and isn't empty.
  var text: String? {
    guard case .string(let text) = value, !text.isEmpty else { return nil }
    return text
  }

  /// The whole number, which some servers write as a string.
  var wholeNumber: Int64? {
    switch value {
    case .number(let text), .string(let text):
      Int64(text) ?? Double(text).flatMap { Int64(exactly: $0.rounded(.down)) }
    case .null, .boolean, .array, .object: nil
    }
  }

  /// A list of words, or words with blanks between.
  var words: [String]? {
    switch value {
    case .string(let text): text.split(separator: " ").map(String.init)
    case .array(let elements): elements.compactMap(\.text)
    case .null, .boolean, .number, .object: nil
    }
  }

  /// The node as JSON (RFC 8259), two blanks a level, with a line feed at its end.
  var jsonText: String {
    var text = ""
    write(to: &text, indent: "")
    return text + "\n"
  }

  private func write(to text: inout String, indent: String) {
    switch value {
    case .null: text += "null"
    case .boolean(let boolean): text += boolean ? "true" : "false"
    case .number(let number): text += number
    case .string(let string): Self.write(string, to: &text)
    case .array(let elements):
      text += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { text += ", " }
        element.write(to: &text, indent: indent)
      }
      text += "]"
    case .object(let members):
      text += members.isEmpty ? "{" : "{\n"
      for (index, member) in members.enumerated() {
        text += "\(indent)  "
        Self.write(member.key, to: &text)
        text += ": "
        member.node.write(to: &text, indent: indent + "  ")
        text += index + 1 < members.count ? ",\n" : "\n\(indent)"
      }
      text += "}"
    }
  }

  private static func write(_ string: String, to text: inout String) {
    text += "\""
    for scalar in string.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\u{0}"..<" ", "\u{7F}":
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
