/// What a message or a variable is for, in one language or several.
struct MessagePurpose: Sendable, Hashable {
  /// The texts by language tag in lower case; that of a text without a language is empty.
  var texts: [String: String]

  /// Creates a purpose from a text without a language.
  init(_ text: String) { texts = text.isEmpty ? [:] : ["": text] }

  /// The text for logs and programs: the one without a language, the English one, or else any.
  var text: String { texts[""] ?? texts["en"] ?? texts.min { $0.key < $1.key }?.value ?? "" }

  /// Returns the text in a language, or else the one for programs.
  func text(in language: InterfaceLanguage) -> String { texts[language.rawValue] ?? text }
}
