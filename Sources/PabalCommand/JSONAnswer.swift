import FoundationEssentials

extension Terminal {
  /// Writes an answer for a program: one JSON value, keys sorted.
  package static func answer(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    write(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
  }
}

/// A value or null; a key that is there with null tells a program more than one that is missing.
package struct OrNull<Value: Encodable>: Encodable {
  package let value: Value?

  package init(_ value: Value?) { self.value = value }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    if let value { try container.encode(value) } else { try container.encodeNil() }
  }
}

extension OrNull: Sendable where Value: Sendable {}
