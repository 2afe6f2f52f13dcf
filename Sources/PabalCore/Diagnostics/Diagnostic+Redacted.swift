extension Diagnostic {
  /// The position, the path and the message, without what is quoted from the file, which may be a secret.
  package var redacted: String {
    let place = position.map { "line \($0.line), column \($0.column), " } ?? ""
    return place + (path.map { "\($0): " } ?? "") + redacted(message)
  }

  /// The message, without what is quoted from the file.
  package var redactedMessage: String { redacted(message) }

  /// Replaces quoted text with an ellipsis, except for the name of a missing key, which isn't in the file.
  private func redacted(_ text: String) -> String {
    let missingKey = "missing key "
    var shown = ""
    if text.hasPrefix(missingKey) { return printable(text) }
    var quote: Character?
    for character in printable(text) {
      if let open = quote {
        guard character == open else { continue }
        quote = nil
        shown.append("…")
      } else if character == "\"" || (character == "'" && !(shown.last?.isLetter ?? false)) {
        quote = character
      }
      shown.append(character)
    }
    return shown
  }

  /// The path, the message and the remedy, without the place in the file: the cause of a failure.
  package var cause: String {
    (path.map { "\($0): " } ?? "") + message + (remedy.map { "; \($0)" } ?? "")
  }

  /// The folder and name of the file, followed by `redacted`.
  package var located: String {
    let file = file.map { "\($0.split(separator: "/").suffix(2).joined(separator: "/")), " } ?? ""
    return file + redacted
  }
}
