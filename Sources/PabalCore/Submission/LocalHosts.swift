internal import Glibc

/// The names by which addresses belong to this machine, such as `root@web1`.
package struct LocalHosts: Sendable, Hashable {
  /// The domain that completes names such as `root`: that of `/etc/mailname`, else the host's name.
  package let domain: String
  /// The names of this machine.
  private let names: Set<String>

  /// The names of a machine called `host`, whose `/etc/mailname` has `mailName`, and which is also called `others`.
  package init(host: String?, mailName: String?, others: [String] = []) {
    let host = host?.lowercased()
    let mailName = mailName?.lowercased()
    domain = mailName ?? host ?? "localhost"
    var names: Set = ["localhost", "localhost.localdomain"]
    names.formUnion(others.map { $0.lowercased() })
    if let host {
      names.insert(host)
      names.insert(String(host.prefix { $0 != "." }))
    }
    // Often the domain of an organization, whose addresses are those of people elsewhere.
    if let mailName, host == nil || !mailName.contains(".") || mailName.hasPrefix("\(host ?? "").") {
      names.insert(mailName)
    }
    self.names = names
  }

  /// The names of this machine, and `others`. Reads `/etc/mailname`.
  ///
  /// They come from the system, never from the environment, which may belong to an attacker who reached the caller of
  /// `sendmail`.
  package static func current(_ others: [String] = []) -> LocalHosts {
    var mailName: String?
    if let bytes = try? readFile("/etc/mailname", atMost: 1_024) {
      mailName = String(decoding: bytes, as: UTF8.self).trimmed
    }
    var host: String?
    var buffer = [CChar](repeating: 0, count: 256)
    if gethostname(&buffer, buffer.count - 1) == 0 {
      host = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    return LocalHosts(
      host: host.flatMap { isDomain($0) ? $0 : nil }, mailName: mailName.flatMap { isDomain($0) ? $0 : nil },
      others: others)
  }

  /// Whether an address has a name of this machine, or the domain of names that have none.
  package func isLocal(_ address: Address) -> Bool { address.domain == domain || isHost(address.domain) }

  /// Whether a domain is a name of this machine.
  func isHost(_ domain: String) -> Bool { names.contains(domain) }

  private static func isDomain(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix("[") && (try? Address("x@\(name)")) != nil
  }
}
