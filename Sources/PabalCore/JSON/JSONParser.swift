public import PabalFormats

extension JSONParser {
  /// Parses one JSON text in UTF-8 (RFC 8259), with or without a byte order mark, at most 64 levels deep.
  ///
  /// A key that is written twice stays in the list of members twice, so that the decoder can report it.
  /// Throws only the first syntax error, because what follows it is guesswork; `file` is the name it shows.
  public static func read(_ bytes: [UInt8], file: String) throws(Diagnostic) -> JSONValue {
    try read(bytes, subject: .file(file))
  }

  /// Parses the JSON text that `subject` names, as `read(_:file:)` does.
  static func read(
    _ bytes: [UInt8], subject: DiagnosticCollector.Subject
  ) throws(Diagnostic) -> JSONValue {
    let (file, noun): (String?, JSONError.Subject) =
      switch subject {
      case .file(let name): (name, .file)
      case .body: (nil, .body)
      }
    do throws(JSONError) {
      return try JSONParser(subject: noun).parse(bytes.span)
    } catch {
      throw Diagnostic(error.message, remedy: error.remedy, file: file, position: error.position)
    }
  }
}
