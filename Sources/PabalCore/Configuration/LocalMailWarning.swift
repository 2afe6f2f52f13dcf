extension Configuration {
  /// Warnings that depend on the names of this machine.
  public var localWarnings: [Diagnostic] { [localMailWarning, aliasWarning].compactMap(\.self) }

  /// A warning if mail of the programs of this machine, such as cron, would reach no person; `nil` if it is sent.
  ///
  /// They send to `root`, which is a mailbox of no mail server.
  package var localMailWarning: Diagnostic? { localMailWarning(hosts) }

  /// The names of this machine.
  private var hosts: LocalHosts { .current(serve.submission.compactMap(\.host)) }

  func localMailWarning(_ hosts: LocalHosts) -> Diagnostic? {
    guard let listener = serve.localSubmission,
      let root = try? Address(localPart: "root", domain: hosts.domain)
    else { return nil }
    let isAliased = !aliases.expand(root, hosts).contains { hosts.isLocal($0) }
    let domainRoute = routes.all.first { $0.key == routes.key(ofDomain: hosts.domain) }
    let taken = listener.rules(for: .local("root")).route ?? domainRoute
    let last = transports.first { $0.name == taken?.transports.first ?? route.first }
    // These two hand mail to no one, whatever its address.
    let isKept = ["file", "console"].contains(last?.plugin)
    guard !isAliased, let last, isKept || !hosts.domain.contains(".") else { return nil }
    let end =
      isKept
      ? "is kept by the transport \(quoted(last.name)), where no person reads it"
      : "can't be delivered by the transport \(quoted(last.name)), because \(quoted(hosts.domain)) is only a name of this machine"
    var warning = listener.location.diagnostic(
      "mail of local programs to root, such as that of cron, \(end)",
      remedy: "add \"aliases\": {\"root\": \"you@example.com\"}")
    warning.severity = .warning
    return warning
  }

  /// What works but deserves attention in `aliases`, on this machine.
  private var aliasWarning: Diagnostic? { aliasWarning(hosts) }

  func aliasWarning(_ hosts: LocalHosts) -> Diagnostic? {
    guard aliases.hasDefault, !hosts.isHost(hosts.domain) else { return nil }
    var warning = Diagnostic(
      "\"default\" doesn't apply to names at \(hosts.domain), the domain in /etc/mailname, because they may be people elsewhere",
      remedy: "list the names of this machine's users, such as \"root\"", file: file, path: "aliases.default")
    warning.severity = .warning
    return warning
  }
}
