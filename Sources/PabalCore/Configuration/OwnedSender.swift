extension SenderRules {
  /// Whether mail may have another author than `owner` in a domain for which `takes` returns `true`.
  func allowsOther(than owner: Address, where takes: (String) -> Bool) -> Bool {
    if let forcedSender {
      return !forcedSender.address.isSame(as: owner) && takes(forcedSender.address.domain)
    }
    return senders?.contains { pattern in
      switch pattern {
      case .address(let address): !address.isSame(as: owner) && takes(address.domain)
      case .domain(let domain): takes(domain)
      }
    } ?? true
  }

  /// Returns whether mail of an author in a domain may leave through `transport`.
  func takes(_ transport: String, _ domain: String, _ routes: SenderRoutes, standard: [String]) -> Bool {
    let key = routes.key(ofDomain: domain)
    let own = routes.all.first { $0.key == key }?.transports
    return (route?.transports ?? own ?? standard).contains(transport)
  }
}

extension SubmissionConfiguration {
  /// Returns a warning if the rules let submitters use other senders than `owner`, the only one of `transport`, for mail
  /// that takes it; otherwise `nil`.
  package func senderWarning(
    owner: Address, transport: String, _ routes: SenderRoutes, standard: [String]
  ) -> Diagnostic? {
    let others = submitters.filter { _, rules in
      // Without a list of senders, any domain without a route of its own is possible.
      let isOpen = rules.forcedSender == nil && rules.senders == nil
      let domains = isOpen ? [""] + routes.domains : []
      func takes(_ domain: String) -> Bool { rules.takes(transport, domain, routes, standard: standard) }
      return rules.allowsOther(than: owner, where: takes) && (!isOpen || domains.contains(where: takes))
    }.map(\.name)
    guard !others.isEmpty else { return nil }
    let names = others.prefix(5).joined(separator: ", ")
    let more = others.count > 5 ? " and \(others.count - 5) more" : ""
    var warning = location.diagnostic(
      "\(names)\(more) may use other senders than \(owner), but the transport \(quoted(transport)) sends all mail as that address",
      remedy: "add \"forcedSender\": \"\(owner)\" or \"senders\": [\"\(owner)\"] to their rules")
    warning.severity = .warning
    return warning
  }

  /// Those who can submit mail, with their rules.
  private var submitters: [(name: String, rules: SenderRules)] {
    var all: [(name: String, rules: SenderRules)] = users.map { ("user \($0.name)", $0.rules) }
    all += certificateRules.map { ("certificate \($0.name)", $0.rules) }
    if clientCA != nil, !certificateRules.contains(where: { $0.name == "default" }) {
      all.append(("holders of other certificates", SenderRules()))
    }
    all += networkRules.map { ("network \($0.text)", $0.rules) }
    guard socket != nil || drop != nil else { return all }
    all += localRules.sorted { $0.key < $1.key }.map { ("local user \($0.key)", $0.value) }
    if localRules["default"] == nil { all.append(("other users of this machine", SenderRules())) }
    return all
  }
}
