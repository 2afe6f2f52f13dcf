public import PabalFormats

/// A JSON object that is being decoded.
///
/// It records which keys were asked for, so that `FieldDecoder.object` can report the others as unknown.
public final class ObjectDecoder {
  /// The members, each key once.
  public let members: [JSONValue.Member]
  /// The object as a value, with its position and path.
  public let value: FieldDecoder
  private var known: [String] = []
  private var missing: [(key: String, remedy: String)] = []

  /// Creates a decoder of the object in `value`; reports another kind of value and returns `nil`.
  ///
  /// Reports each duplicate key. The first of its members counts.
  init?(_ value: FieldDecoder) {
    guard case .object(let members) = value.node.content else {
      value.report(expected: "an object")
      return nil
    }
    self.value = value
    var positions: [String: SourcePosition] = [:]
    self.members = members.filter { member in
      guard let earlier = positions[member.key] else {
        positions[member.key] = member.keyPosition
        return true
      }
      value.collector.report(
        "duplicate key, first used in line \(earlier.line), column \(earlier.column)",
        remedy: "remove one of the two", at: member.keyPosition, path: fieldPath(value.path, member.key))
      return false
    }
  }

  /// The value of `key`; `nil` if the key is missing.
  public func optional(_ key: String) -> FieldDecoder? {
    known.append(key)
    return members.first { $0.key == key }.map(value(of:))
  }

  /// The value of `key`, which is reported if it is missing.
  ///
  /// Below the top level of a file, a key that is present under a misspelt name is reported once, as unknown.
  public func required(_ key: String, remedy: String) -> FieldDecoder? {
    let value = optional(key)
    if value == nil { reportMissing(key, remedy: remedy) }
    return value
  }

  /// Reports that `key` is missing, which is needed because of the values of other keys.
  public func reportMissing(_ key: String, remedy: String) { missing.append((key, remedy)) }

  /// The members except those of `keys`. Their keys count as known, because the caller judges them.
  public func remaining(except keys: [String]) -> [JSONValue.Member] {
    let remaining = members.filter { !keys.contains($0.key) }
    known += remaining.map(\.key)
    return remaining
  }

  /// The value of one of the members.
  public func value(of member: JSONValue.Member) -> FieldDecoder {
    FieldDecoder(member.value, path: fieldPath(value.path, member.key), collector: value.collector)
  }

  /// Adds an error at the key of `member`.
  public func report(_ message: String, remedy: String? = nil, atKeyOf member: JSONValue.Member) {
    value.collector.report(
      message, remedy: remedy, at: member.keyPosition, path: fieldPath(value.path, member.key))
  }

  /// Whether an unknown key is most likely a misspelling of `key`. Call it after all keys were asked for.
  public func hasMisspelling(of key: String) -> Bool {
    members.contains { !known.contains($0.key) && nearest(to: $0.key, among: known) == key }
  }

  /// Reports the keys that are missing, and those that were not asked for.
  func reportKeys() {
    let unknown = Array(
      members.lazy.filter { [known] in !known.contains($0.key) }.prefix(value.collector.remaining))
    let suggestions = unknown.map { nearest(to: $0.key, among: known) }
    // A client maps the errors of a body to its fields, so each missing key has its own path there, even if it seems
    // to be misspelt. A missing top-level key of a file is always reported, too.
    let namesFields = value.collector.subject == .body
    for (key, remedy) in missing where namesFields || value.path.isEmpty || !suggestions.contains(key) {
      value.collector.report(
        "missing key \(quoted(key))", remedy: remedy, at: value.node.position,
        path: namesFields ? fieldPath(value.path, key) : value.path)
    }
    for (member, suggestion) in zip(unknown, suggestions) {
      let remedy = remedy(suggesting: suggestion, among: known) ?? "remove it"
      report("unknown key", remedy: remedy, atKeyOf: member)
    }
  }
}

/// The remedy for `word`, which isn't one of `known`: the nearest of them, or else all.
func remedy(forUnknown word: String, among known: [String]) -> String? {
  remedy(suggesting: nearest(to: word, among: known), among: known)
}

private func remedy(suggesting suggestion: String?, among known: [String]) -> String? {
  if let suggestion { return "did you mean \(quoted(suggestion))?" }
  if known.isEmpty { return nil }
  return "use \(known.count > 1 ? "one of " : "")\(known.map(quoted).joined(separator: ", "))"
}

/// The path of `key` in the object at `path`; the key is quoted if it would be misread without quotes.
func fieldPath(_ path: String, _ key: String) -> String {
  let key = JSONValue.isPlainKey(key) ? key : quoted(key)
  return path.isEmpty ? key : "\(path).\(key)"
}
