public import PabalFormats

extension JSONParser {
  /// Parses one JSON text in UTF-8 (RFC 8259), with or without a byte order mark, at most 64 levels deep.
  ///
  /// A key that is written twice stays in the list of members twice, so that the decoder can report it.
  /// Throws only the first syntax error, because what follows it is guesswork; `file` is the name it shows.
  public static func read(_ bytes: [UInt8], file: String) throws(Diagnostic) -> JSONValue {
    do throws(JSONError) {
      return try JSONParser().parse(bytes.span)
    } catch {
      throw Diagnostic(error.message, remedy: error.remedy, file: file, position: error.position)
    }
  }
}
