/// A position in a text file as editors count it: line and column from 1, columns in Unicode scalars.
public struct SourcePosition: Sendable, Hashable, Comparable {
  /// The line, from 1. Only LF ends a line.
  public var line: Int
  /// The column, from 1, in Unicode scalars.
  public var column: Int

  /// The first character of a file.
  public static let start = SourcePosition(line: 1, column: 1)

  /// A position in a file.
  public init(line: Int, column: Int) {
    self.line = line
    self.column = column
  }

  /// Orders positions as the file is read.
  public static func < (a: SourcePosition, b: SourcePosition) -> Bool {
    (a.line, a.column) < (b.line, b.column)
  }
}

/// A JSON value (RFC 8259) and its position in the text it was read from.
///
/// Two values are equal only if their positions are; `isEquivalent(to:)` compares the content alone.
public struct JSONValue: Sendable, Hashable {
  /// The content of a value.
  public enum Content: Sendable, Hashable {
    case null
    case boolean(Bool)
    /// A number as written, such as `1.50` or `1e400`; never converted.
    case number(String)
    case string(String)
    case array([JSONValue])
    /// The members in the order written. A key that is written twice is in the list twice.
    case object([Member])
  }

  /// A key and its value.
  public struct Member: Sendable, Hashable {
    /// The key, unescaped.
    public var key: String
    /// The position of the key's opening quotation mark.
    public var keyPosition: SourcePosition
    /// The value.
    public var value: JSONValue

    /// A key and its value.
    public init(key: String, keyPosition: SourcePosition, value: JSONValue) {
      self.key = key
      self.keyPosition = keyPosition
      self.value = value
    }
  }

  /// Which member counts if a key is written more than once.
  public enum DuplicateKey: Sendable, Hashable {
    case first
    case last
  }

  /// The content.
  public var content: Content
  /// The position of the value's first character.
  public var position: SourcePosition

  /// A value, by default one that was not read from a text.
  public init(_ content: Content, at position: SourcePosition = .start) {
    self.content = content
    self.position = position
  }

  /// An object that was not read from a text, its members in this order.
  public static func object(_ members: [(String, JSONValue)]) -> JSONValue {
    JSONValue(
      .object(members.map { key, value in Member(key: key, keyPosition: value.position, value: value) }))
  }

  /// A string that was not read from a text.
  public static func string(_ text: String) -> JSONValue { JSONValue(.string(text)) }

  /// A whole number that was not read from a text.
  public static func number(_ number: Int64) -> JSONValue { JSONValue(.number("\(number)")) }

  /// The kind of the content in words, such as `a list`.
  public var kind: String {
    switch content {
    case .null: "null"
    case .boolean: "true or false"
    case .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }

  /// The value of a key; `nil` if there is none or this is not an object.
  public func member(_ key: String, ifRepeated which: DuplicateKey) -> JSONValue? {
    guard case .object(let members) = content else { return nil }
    let member =
      switch which {
      case .first: members.first { $0.key == key }
      case .last: members.last { $0.key == key }
      }
    return member?.value
  }

  /// The members; empty if this is not an object.
  public var members: [Member] {
    if case .object(let members) = content { members } else { [] }
  }

  /// The elements; empty if this is not an array.
  public var elements: [JSONValue] {
    if case .array(let elements) = content { elements } else { [] }
  }

  /// The string's content; `nil` if this is not a string.
  public var string: String? {
    if case .string(let text) = content { text } else { nil }
  }

  /// The number as written; `nil` if this is not a number.
  public var number: String? {
    if case .number(let text) = content { text } else { nil }
  }

  /// Whether both have the same content, whatever their positions and the order of their keys.
  public func isEquivalent(to other: JSONValue) -> Bool {
    switch (content, other.content) {
    case (.array(let elements), .array(let others)):
      elements.elementsEqual(others) { $0.isEquivalent(to: $1) }
    case (.object(let members), .object(let others)):
      JSONValue.areEquivalent(members, others)
    case (.array, _), (.object, _), (_, .array), (_, .object): false
    default: content == other.content
    }
  }

  /// Whether two lists of members have the same content, whatever their positions and order.
  public static func areEquivalent(_ members: [Member], _ others: [Member]) -> Bool {
    members.sorted { $0.key < $1.key }.elementsEqual(others.sorted { $0.key < $1.key }) {
      $0.key == $1.key && $0.value.isEquivalent(to: $1.value)
    }
  }

  /// Whether a key can stand in a sentence without quotes: 1 to 64 letters, digits, `-`, `_` and `$`.
  public static func isPlainKey(_ key: String) -> Bool {
    1...64 ~= key.unicodeScalars.count
      && key.unicodeScalars.allSatisfy { scalar in
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil
          || "-_$".unicodeScalars.contains(scalar)
      }
  }
}
