/// What a resend needs to know of the start, as it is sealed.
struct StoredVerificationRequest: Sendable, Hashable {
  var message: String
  var languages: [String]
  var variables: [String: String]
  var isNotice: Bool

  /// The most octets all of it may have; a mail's variables are a few words.
  static let sizeLimit = 65_536

  init(message: String, languages: [String], variables: [String: String], isNotice: Bool) {
    self.message = message
    self.languages = languages
    self.variables = variables
    self.isNotice = isNotice
  }

  /// Its texts, each with its length in front; whether it is a notice can't be told from their number.
  var octets: [UInt8] {
    var octets: [UInt8] = []
    func append(_ text: String) {
      octets += UInt32(text.utf8.count).bigEndianOctets
      octets += Array(text.utf8)
    }
    append(isNotice ? "n" : "c")
    append(message)
    append(String(languages.count))
    languages.forEach(append)
    for (name, value) in variables.sorted(by: { $0.key < $1.key }) {
      append(name)
      append(value)
    }
    return octets
  }

  /// What `octets` gave; `nil` for anything else.
  init?(octets: [UInt8]) {
    var texts: [String] = []
    var rest = octets[...]
    while !rest.isEmpty {
      guard rest.count >= 4 else { return nil }
      let count = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(4)
      guard rest.count >= count, let text = String(validating: rest.prefix(count), as: UTF8.self) else {
        return nil
      }
      texts.append(text)
      rest = rest.dropFirst(count)
    }
    guard texts.count >= 3, ["n", "c"].contains(texts[0]), let count = Int(texts[2]), count >= 0,
      texts.count >= 3 + count, (texts.count - count - 3).isMultiple(of: 2)
    else { return nil }
    isNotice = texts[0] == "n"
    message = texts[1]
    languages = Array(texts[3..<(3 + count)])
    variables = [:]
    for index in stride(from: 3 + count, to: texts.count, by: 2) {
      variables[texts[index]] = texts[index + 1]
    }
  }
}
