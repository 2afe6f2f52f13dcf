import PabalCore

/// Text of others as a line of the log has it.
enum LogText {
  /// What stands for an address.
  static let address = "(address)"

  /// The text without addresses and control characters.
  ///
  /// What a server, a plugin or a file says may name anybody; whoever needs it asks `pabal outbox show` or `check`.
  static func redacted(_ text: String) -> String {
    guard text.contains("@") else { return printable(text) }
    var shown = ""
    var word = ""
    func flush() {
      shown += word.contains("@") ? address : word
      word = ""
    }
    for character in printable(text) {
      if character.isWhitespace || "<>()[],;:\"'“”".contains(character) {
        flush()
        shown.append(character)
      } else {
        word.append(character)
      }
    }
    flush()
    return shown
  }

  /// The text as a field's value: between quotes where it would not be one word.
  static func quoted(_ text: String) -> String {
    let isWord = !text.isEmpty && !text.contains { $0 == " " || $0 == "\"" || $0 == "=" || $0 == "\\" }
    guard !isWord else { return text }
    return "\"\(text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
  }
}
