import FoundationEssentials

extension Terminal {
  /// Writes an answer for a program: one JSON value, keys sorted.
  package static func answer(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    write(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
  }
}
