/// The transports of all routes, as the dispatcher uses them.
///
/// A transport may be part of several routes; its state is the same in all of them.
public struct DispatchRoutes: Sendable {
  /// Routes with the same transports, whose mail is claimed together.
  struct Group: Sendable {
    /// The transports, in the order in which they are tried.
    let transports: [DispatchTransport]
    /// The keys of the routes.
    let keys: OutboxClaim.Routes
  }

  /// The groups of routes, that of the standard route first. Each mail belongs to one of them.
  let groups: [Group]
  /// The transports of all routes, each once, those of the standard route first.
  let transports: [DispatchTransport]
  // The index of each special route's group.
  private let indexes: [String: Int]

  /// The route `standard` and others, `special`, by their keys.
  public init(_ standard: [DispatchTransport], special: [String: [DispatchTransport]] = [:]) {
    var lists = [standard]
    var indexes: [String: Int] = [:]
    for (key, transports) in special.sorted(by: { $0.key < $1.key }) {
      let names = transports.map(\.name)
      let known = lists.firstIndex { $0.map(\.name) == names }
      indexes[key] = known ?? lists.count
      if known == nil { lists.append(transports) }
    }
    // Keys that aren't configured any more belong to the standard route.
    let others = Set(indexes.lazy.filter { $0.value != 0 }.map(\.key))
    groups = lists.enumerated().map { index, transports in
      Group(
        transports: transports,
        keys: index == 0 ? .except(others) : .only(Set(indexes.lazy.filter { $0.value == index }.map(\.key))))
    }
    self.indexes = indexes
    var seen: Set<String> = []
    transports = lists.joined().filter { seen.insert($0.name).inserted }
  }

  /// Returns the transports for mail with this key.
  func transports(of key: String) -> [DispatchTransport] { group(of: key).transports }

  /// Returns the group of the route with this key.
  func group(of key: String) -> Group { groups[indexes[key] ?? 0] }

  /// Whether mail with this key has its own route, or none.
  func isKnown(_ key: String) -> Bool { key.isEmpty || indexes[key] != nil }
}
