// `append(contentsOf: text.utf8)` counts references and copies by way of the runtime; a mail is a hundred of them.
extension [UInt8] {
  /// Appends text that the program itself holds.
  mutating func append(ascii text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends a text's UTF-8.
  mutating func append(text: String) {
    text.utf8Span.span.withUnsafeBufferPointer { append(contentsOf: $0) }
  }
}
