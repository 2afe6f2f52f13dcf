/// `messages`: where the words of every mail are.
public struct MessagesConfiguration: Sendable {
  /// A value that every message may use.
  public struct Variable: Sendable {
    /// Its name, as `{{name}}` has it.
    public let name: String
    /// Its value.
    public let value: ConfiguredValue

    /// A value that every message may use.
    public init(name: String, value: ConfiguredValue) {
      self.name = name
      self.value = value
    }
  }

  /// The folder of the messages, absolute.
  public let directory: String
  /// The language taken where none that was asked for is there (BCP 47).
  public let language: String
  /// The values for this site, in the order written.
  public let variables: [Variable]

  static func read(_ value: FieldDecoder) -> MessagesConfiguration? {
    value.object { object in
      let directory = object.required(
        "directory", remedy: "name the folder of the messages, as in \"directory\": \"Sources/Messages\""
      )?.filePath()
      let language = object.required("language", remedy: "name the usual one, as in \"language\": \"ko\"")
        .flatMap(language)
      let variables = object.optional("variables").map(variables) ?? []
      guard let directory, let language, let variables else { return nil }
      return MessagesConfiguration(directory: directory, language: language, variables: variables)
    }
  }

  // The shape of RFC 5646 section 2.1, so that no path hides in it; whether there is such a language
  // the messages know.
  private static func language(_ value: FieldDecoder) -> String? {
    guard let text = value.nonEmptyText() else { return nil }
    let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    let fits = parts.allSatisfy { part in
      1...8 ~= part.count && part.allSatisfy { Character(Unicode.Scalar($0)).isASCIIAlphanumeric }
    }
    guard fits, text.utf8.count <= 35 else {
      value.report("\(quoted(text)) is no language", remedy: "write it as in \"ko\" or \"en-GB\"")
      return nil
    }
    return text
  }

  private static func variables(_ value: FieldDecoder) -> [Variable]? {
    guard let members = value.namedMembers() else { return nil }
    return members.compactMap { name, value in
      value.configuredValue().map { Variable(name: name, value: $0) }
    }
  }
}

extension Character {
  fileprivate var isASCIIAlphanumeric: Bool { isASCII && (isLetter || isNumber) }
}
