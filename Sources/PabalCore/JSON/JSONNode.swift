/// A JSON value that knows where it stands in its file.
public struct JSONNode: Sendable, Hashable {
  /// What the value is.
  public enum Value: Sendable, Hashable {
    case null
    case boolean(Bool)
    /// The number as written.
    case number(String)
    case string(String)
    case array([JSONNode])
    /// The members in the order written; a key that stands twice is here twice.
    case object([Member])
  }

  /// A key and its value.
  public struct Member: Sendable, Hashable {
    /// The key, unescaped.
    public var key: String
    /// Where the key stands.
    public var keyPosition: SourcePosition
    /// The value.
    public var node: JSONNode

    /// A key and its value.
    public init(key: String, keyPosition: SourcePosition, node: JSONNode) {
      self.key = key
      self.keyPosition = keyPosition
      self.node = node
    }
  }

  /// What the value is.
  public var value: Value
  /// Where it begins.
  public var position: SourcePosition

  /// A JSON value that knows where it stands.
  public init(_ value: Value, at position: SourcePosition) {
    self.value = value
    self.position = position
  }

  /// The value's kind, in words for a person.
  public var kind: String {
    switch value {
    case .null: "null"
    case .boolean: "true or false"
    case .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

extension JSONNode {
  /// Whether it says the same, wherever it stands and in whatever order its keys do.
  func isSame(as other: JSONNode) -> Bool {
    switch (value, other.value) {
    case (.array(let elements), .array(let others)):
      elements.elementsEqual(others) { $0.isSame(as: $1) }
    case (.object(let members), .object(let others)): JSONNode.isSame(members, as: others)
    case (.array, _), (.object, _), (_, .array), (_, .object): false
    default: value == other.value
    }
  }

  /// The same of an object's members.
  static func isSame(_ members: [Member], as others: [Member]) -> Bool {
    members.sorted { $0.key < $1.key }.elementsEqual(others.sorted { $0.key < $1.key }) {
      $0.key == $1.key && $0.node.isSame(as: $1.node)
    }
  }
}
