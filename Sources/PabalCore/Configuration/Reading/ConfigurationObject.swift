/// An object of the configuration file that knows which keys were asked for.
public final class ConfigurationObject {
  /// Its members, each key once.
  public let members: [JSONNode.Member]
  /// Where the object stands.
  public let value: ConfigurationValue
  private var known: [String] = []

  /// The object `value` is; `nil`, with an error, when it is none. A key that stands twice is an error.
  init?(_ value: ConfigurationValue) {
    guard case .object(let members) = value.node.value else {
      value.complain(expected: "an object")
      return nil
    }
    self.value = value
    var first: [String: SourcePosition] = [:]
    self.members = members.filter { member in
      guard let earlier = first.updateValue(member.keyPosition, forKey: member.key) else { return true }
      first[member.key] = earlier
      value.findings.complain(
        "the key stands twice, first in line \(earlier.line), column \(earlier.column)",
        cure: "keep one of the two", at: member.keyPosition, path: keyPath(value.path, member.key))
      return false
    }
  }

  /// The value of `key`, if it is there.
  public func optional(_ key: String) -> ConfigurationValue? {
    known.append(key)
    return members.first { $0.key == key }.map(value(of:))
  }

  /// The value of `key`; an error if it isn't there.
  public func required(_ key: String, cure: String) -> ConfigurationValue? {
    if let value = optional(key) { return value }
    value.complain("the key \(quoted(key)) is missing", cure: cure)
    return nil
  }

  /// All members but those of `keys`; their keys somebody else judges.
  public func others(than keys: [String]) -> [JSONNode.Member] {
    let others = members.filter { !keys.contains($0.key) }
    known += others.map(\.key)
    return others
  }

  func value(of member: JSONNode.Member) -> ConfigurationValue {
    ConfigurationValue(member.node, path: keyPath(value.path, member.key), findings: value.findings)
  }

  func complainOfUnknownKeys() {
    for member in members where !known.contains(member.key) {
      value.findings.complain(
        "unknown key", cure: cure(forUnknown: member.key, among: known), at: member.keyPosition,
        path: keyPath(value.path, member.key))
    }
  }
}

/// What to say of a word that isn't among those that are right.
func cure(forUnknown word: String, among known: [String]) -> String {
  if let near = nearest(to: word, among: known) { return "did you mean \(quoted(near))?" }
  return known.isEmpty ? "there is none" : "known are \(known.map(quoted).joined(separator: ", "))"
}
