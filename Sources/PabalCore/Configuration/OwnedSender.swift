extension SenderRules {
  /// Whether mail may have another author than `owner`.
  func allowsOther(than owner: Address) -> Bool {
    if let forcedSender { return !forcedSender.address.isSame(as: owner) }
    return senders?.contains { pattern in
      if case .address(let address) = pattern { !address.isSame(as: owner) } else { true }
    } ?? true
  }
}

extension SubmissionConfiguration {
  /// Returns a warning if the rules let submitters use other senders than `owner`, the only one of `transport`; otherwise
  /// `nil`.
  package func senderWarning(owner: Address, transport: String) -> Diagnostic? {
    let others = submitters.filter { $0.rules.allowsOther(than: owner) }.map(\.name)
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
