/// A route apart from the standard one, `transport`: of a submitter's mail, or of mail from a domain.
public struct ConfiguredRoute: Sendable, Hashable {
  /// The key with which its mail is stored: that of a submitter's rules, such as `user:shop`, or of a domain, such as
  /// `domain:example.com`.
  ///
  /// Waiting mail finds its transports by the key, so that an edited route applies to it.
  public let key: String
  /// The names of the transports in the order they are tried; at least one, without duplicates, all of them in `transports`.
  public let transports: [String]

  /// A route of configured transports.
  public init(key: String, transports: [String]) {
    self.key = key
    self.transports = transports
  }
}

/// `routes`: the routes of mail by the domain of its author.
public struct SenderRoutes: Sendable, Hashable {
  /// The routes in the order written.
  public let all: [ConfiguredRoute]
  private let keys: Set<String>

  private static let prefix = "domain:"

  /// Routes of domains, each once.
  public init(_ all: [ConfiguredRoute] = []) {
    self.all = all
    keys = Set(all.map(\.key))
  }

  /// Returns the key of the route that a domain has, without its subdomains; empty: the standard route.
  package func key(ofDomain domain: String?) -> String {
    let key = domain.map { SenderRoutes.prefix + $0 } ?? ""
    return keys.contains(key) ? key : ""
  }

  /// The domains that have a route.
  var domains: [String] { all.map { String($0.key.dropFirst(SenderRoutes.prefix.count)) } }

  /// Returns the key of the route that a finished mail takes.
  package func key(for mail: Mail) -> String {
    // The header isn't read again for nothing.
    keys.isEmpty ? "" : key(ofDomain: mail.authorDomain)
  }

  static func read(_ value: FieldDecoder) -> SenderRoutes? {
    // Not `namedMembers`, because a domain isn't a name.
    value.object { object in
      var routes: [ConfiguredRoute] = []
      for member in object.remaining(except: []) {
        let field = object.value(of: member)
        guard let key = key(member.key, field), let transports = field.route() else { continue }
        if routes.contains(where: { $0.key == key }) {
          field.report(
            "duplicate domain \(quoted(String(key.dropFirst(prefix.count))))", remedy: "list each domain once"
          )
        }
        routes.append(ConfiguredRoute(key: key, transports: transports))
      }
      return SenderRoutes(routes)
    }
  }

  private static func key(_ text: String, _ field: FieldDecoder) -> String? {
    do throws(AddressError) {
      return prefix + (try Domain(text.hasPrefix("@") ? String(text.dropFirst()) : text).description)
    } catch {
      field.report(
        "\(quoted(text)): \(error.message)", remedy: "write the domain of senders, like \"@example.com\"")
      return nil
    }
  }
}

extension Mail {
  /// The domain of the first author in From, which SPF, DKIM and DMARC have to agree with; if there is none that can be
  /// read, that of the envelope's sender.
  var authorDomain: String? {
    let author = bytes.withUnsafeBufferPointer { bytes -> Address? in
      var bodyStart = 0
      guard let header = try? MailHeader(of: bytes, syntax: .tolerant, bodyStart: &bodyStart),
        let value = header.values(of: "from").first
      else { return nil }
      return (try? AddressList(value, field: "from"))?.mailboxes.first?.address
    }
    return (author ?? envelope.sender)?.domain
  }
}

/// The names of the transports of all routes.
public struct RouteTable: Sendable, Hashable {
  /// The transports of the standard route.
  public let standard: [String]
  /// The transports of the other routes, by their keys.
  public let special: [String: [String]]

  /// The transports of all routes, each once, those of the standard route first.
  public var names: [String] {
    var seen: Set<String> = []
    let lists = [standard] + special.sorted { $0.key < $1.key }.map(\.value)
    return lists.joined().filter { seen.insert($0).inserted }
  }

  /// Returns the transports for mail with this key, which is that of the standard route if it isn't configured.
  public func transports(of key: String) -> [String] { special[key] ?? standard }

  /// Returns the routes with their transports, which `transports` has all of.
  public func dispatchRoutes(_ transports: [DispatchTransport]) -> DispatchRoutes {
    func select(_ names: [String]) -> [DispatchTransport] {
      names.compactMap { name in transports.first { $0.name == name } }
    }
    return DispatchRoutes(select(standard), special: special.mapValues(select))
  }
}

extension Configuration {
  /// The routes apart from the standard one, each key once: those of domains, then those of submitters.
  public var specialRoutes: [ConfiguredRoute] {
    var seen: Set<String> = []
    return (routes.all + serve.submission.flatMap(\.routes)).filter { seen.insert($0.key).inserted }
  }

  /// The transports of all routes. `names` replaces those of the configuration in all routes, because it says where the mail
  /// of this run goes.
  public func routeTable(overriding names: [String]? = nil) -> RouteTable {
    RouteTable(
      standard: names ?? route,
      special: Dictionary(specialRoutes.map { ($0.key, names ?? $0.transports) }) { first, _ in first })
  }
}
