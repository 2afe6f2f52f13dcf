/// `aliases`: the addresses that mail to local names goes to, such as `root`.
///
/// A key is a local name, an address, or `default` for all other names of this machine.
public struct Aliases: Sendable, Hashable {
  /// What a key stands for.
  private enum Target: Sendable, Hashable {
    case address(Address)
    /// A local name, in lower case.
    case name(String)
  }

  /// The targets by local names, and by addresses, all in lower case.
  private var targets: [String: [Target]] = [:]
  /// The location of the setting.
  private var location: SettingLocation?

  /// No aliases.
  public init() {}

  /// Whether there are none.
  public var isEmpty: Bool { targets.isEmpty }

  /// Whether `default` is set.
  package var hasDefault: Bool { targets["default"] != nil }

  /// Returns the addresses that mail to `address` goes to: itself, if no alias applies.
  package func expand(_ address: Address, _ hosts: LocalHosts) -> [Address] {
    guard !targets.isEmpty else { return [address] }
    var expansion = Expansion(aliases: self, hosts: hosts)
    expansion.add(address)
    // The targets of aliases that lead back to themselves, which the configuration doesn't allow.
    return expansion.found.isEmpty ? [address] : expansion.found
  }

  /// The addresses that an address leads to, each once.
  private struct Expansion {
    let aliases: Aliases
    let hosts: LocalHosts
    var found: [Address] = []
    private var seen: Set<String> = []
    private var addresses: Set<Address> = []

    init(aliases: Aliases, hosts: LocalHosts) {
      self.aliases = aliases
      self.hosts = hosts
    }

    mutating func add(_ address: Address) {
      guard let key = aliases.key(for: address, hosts) else {
        if addresses.insert(address).inserted { found.append(address) }
        return
      }
      guard seen.insert(key).inserted else { return }
      for target in aliases.targets[key] ?? [] {
        if let address = Aliases.address(target, hosts) { add(address) }
      }
    }
  }

  /// Returns the key that applies to `address`; `nil` if none does.
  private func key(for address: Address, _ hosts: LocalHosts) -> String? {
    let text = address.description.lowercased()
    if targets[text] != nil { return text }
    guard hosts.isLocal(address) else { return nil }
    let name = address.localPart.lowercased()
    if name != "default", targets[name] != nil { return name }
    return hasDefault && hosts.isHost(address.domain) ? "default" : nil
  }

  private static func address(_ target: Target, _ hosts: LocalHosts) -> Address? {
    switch target {
    case .address(let address): address
    case .name(let name): try? Address(localPart: name, domain: hosts.domain)
    }
  }

  // MARK: Reading

  /// Reads `aliases` for the machine with these names. An alias that leads back to itself is an error.
  static func read(_ value: FieldDecoder, _ hosts: LocalHosts) -> Aliases? {
    var aliases = Aliases()
    aliases.location = value.location
    var fields: [(key: String, field: FieldDecoder)] = []
    let isObject: Bool? = value.object { object in
      for member in object.remaining(except: []) {
        guard let key = key(member.key) else {
          object.report(
            "\(quoted(member.key)) is not a local name or an address",
            remedy: "write it like \"root\", \"root@web1\" or \"default\"", atKeyOf: member)
          continue
        }
        guard aliases.targets[key] == nil else {
          object.report("duplicate alias \(quoted(key))", remedy: "remove one of the two", atKeyOf: member)
          continue
        }
        let field = object.value(of: member)
        aliases.targets[key] = targets(field)
        fields.append((key, field))
      }
      return true
    }
    guard isObject != nil else { return nil }
    aliases.reportLoops(fields, hosts)
    return aliases
  }

  private static func key(_ text: String) -> String? {
    // A valid name, but other mailers write all names like this.
    if text == "*" || text.hasPrefix("*@") { return nil }
    if text.utf8.contains(UInt8(ascii: "@")) { return (try? Address(text))?.description.lowercased() }
    return (try? Address(localPart: text, domain: "localhost"))?.localPart.lowercased()
  }

  private static func targets(_ value: FieldDecoder) -> [Target] {
    guard case .array = value.node.content else { return target(value).map { [$0] } ?? [] }
    let fields = value.elements() ?? []
    if fields.isEmpty { value.report("empty list", remedy: "name an address, or remove the alias") }
    return fields.compactMap(target)
  }

  private static func target(_ value: FieldDecoder) -> Target? {
    guard let text = value.nonEmptyText() else { return nil }
    let remedy = "write it like \"you@example.com\", or name another alias"
    // As the aliases of other mailers have them.
    if let first = text.first, "/|:\\".contains(first) {
      value.report("\(quoted(text)) is not an address; aliases name no files and commands", remedy: remedy)
      return nil
    }
    do throws(AddressError) {
      if text.utf8.contains(UInt8(ascii: "@")) { return .address(try Address(text)) }
      return .name(try Address(localPart: text, domain: "localhost").localPart.lowercased())
    } catch {
      value.report(error.message, remedy: remedy)
      return nil
    }
  }

  /// Reports each alias that leads back to itself, a chain of them once.
  private func reportLoops(_ fields: [(key: String, field: FieldDecoder)], _ hosts: LocalHosts) {
    var finished: Set<String> = []
    for (key, field) in fields {
      var path: [String] = []
      guard let loop = loop(from: key, &path, &finished, hosts) else { continue }
      field.report(
        "leads back to itself: \((loop + [loop[0]]).joined(separator: " → "))",
        remedy: "name an address on another machine")
    }
  }

  /// Returns the keys of a loop that begins at `key` or behind it; `nil` if there is none, or if it is known.
  private func loop(
    from key: String, _ path: inout [String], _ finished: inout Set<String>, _ hosts: LocalHosts
  ) -> [String]? {
    if let start = path.firstIndex(of: key) { return Array(path[start...]) }
    guard finished.insert(key).inserted else { return nil }
    path.append(key)
    defer { path.removeLast() }
    for target in targets[key] ?? [] {
      guard let next = Aliases.address(target, hosts).flatMap({ self.key(for: $0, hosts) }) else { continue }
      if let loop = loop(from: next, &path, &finished, hosts) { return loop }
    }
    return nil
  }
}
