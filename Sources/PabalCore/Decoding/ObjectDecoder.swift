public import PabalFormats

/// An object of the configuration file that knows which keys were asked for.
public final class ObjectDecoder {
  /// Its members, each key once.
  public let members: [JSONValue.Member]
  /// Where the object stands.
  public let value: FieldDecoder
  private var known: [String] = []

  /// The object `value` is; `nil`, with an error, when it is none. A key that stands twice is an error.
  init?(_ value: FieldDecoder) {
    guard case .object(let members) = value.node.content else {
      value.report(expected: "an object")
      return nil
    }
    self.value = value
    var first: [String: SourcePosition] = [:]
    self.members = members.filter { member in
      guard let earlier = first.updateValue(member.keyPosition, forKey: member.key) else { return true }
      first[member.key] = earlier
      value.collector.report(
        "the key stands twice, first in line \(earlier.line), column \(earlier.column)",
        remedy: "keep one of the two", at: member.keyPosition, path: fieldPath(value.path, member.key))
      return false
    }
  }

  /// The value of `key`, if it is there.
  public func optional(_ key: String) -> FieldDecoder? {
    known.append(key)
    return members.first { $0.key == key }.map(value(of:))
  }

  /// The value of `key`; an error if it isn't there.
  public func required(_ key: String, remedy: String) -> FieldDecoder? {
    if let value = optional(key) { return value }
    value.report("the key \(quoted(key)) is missing", remedy: remedy)
    return nil
  }

  /// All members but those of `keys`; their keys somebody else judges.
  public func remaining(except keys: [String]) -> [JSONValue.Member] {
    let remaining = members.filter { !keys.contains($0.key) }
    known += remaining.map(\.key)
    return remaining
  }

  func value(of member: JSONValue.Member) -> FieldDecoder {
    FieldDecoder(member.value, path: fieldPath(value.path, member.key), collector: value.collector)
  }

  func reportUnknownKeys() {
    for member in members where !known.contains(member.key) {
      value.collector.report(
        "unknown key", remedy: remedy(forUnknown: member.key, among: known), at: member.keyPosition,
        path: fieldPath(value.path, member.key))
    }
  }
}

/// What to say of a word that isn't among those that are right.
func remedy(forUnknown word: String, among known: [String]) -> String {
  if let suggestion = nearest(to: word, among: known) { return "did you mean \(quoted(suggestion))?" }
  return known.isEmpty ? "there is none" : "known are \(known.map(quoted).joined(separator: ", "))"
}

/// `path.key`, the key in quotes where it would be misread bare.
func fieldPath(_ path: String, _ key: String) -> String {
  let key = JSONValue.isPlainKey(key) ? key : quoted(key)
  return path.isEmpty ? key : "\(path).\(key)"
}
