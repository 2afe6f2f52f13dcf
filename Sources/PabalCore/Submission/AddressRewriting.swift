/// How the addresses of submitted mail are rewritten: names without a domain are completed, and the aliases of recipients
/// replaced.
package struct AddressRewriting: Sendable {
  /// `aliases`.
  package let aliases: Aliases
  /// The names of this machine.
  package let hosts: LocalHosts
  /// The domain of names without one in the header.
  package let domain: String

  /// A rewriting by `aliases`, on the machine with these names, that completes names in `domain`.
  package init(_ aliases: Aliases, _ hosts: LocalHosts, completing domain: String) {
    self.aliases = aliases
    self.hosts = hosts
    self.domain = domain
  }

  /// Returns the addresses that mail to `address` goes to: itself, if no alias applies.
  package func expand(_ address: Address) -> [Address] { aliases.expand(address, hosts) }

  /// Returns the recipients with their aliases replaced.
  package func recipients(_ recipients: [Address]) -> [Address] {
    guard !aliases.isEmpty else { return recipients }
    // Each once, because many names may lead to the same long list.
    var (expanded, seen): (Set<Address>, Set<Address>) = ([], [])
    var found: [Address] = []
    for recipient in recipients where expanded.insert(recipient).inserted {
      found += expand(recipient).filter { seen.insert($0).inserted }
    }
    return found
  }

  /// The fields whose names are completed, each with whether aliases apply to it.
  static let fields = [
    "from": false, "to": true, "cc": true, "resent-from": false, "resent-to": true, "resent-cc": true,
  ]

  /// Returns the value of a field with its addresses rewritten, and everything else byte for byte; `nil` if nothing
  /// changes, or if the value isn't a list of addresses. Throws if it becomes larger than a header may be.
  func rewritten(_ value: [UInt8], field: String) throws(MailError) -> [UInt8]? {
    guard let isAliased = AddressRewriting.fields[field],
      let located = try? AddressList.locate(in: value, field: field, completing: domain)
    else { return nil }
    var result: [UInt8] = []
    var position = 0
    for found in located {
      let addresses = isAliased ? expand(found.address) : [found.address]
      guard found.isLocalName || addresses != [found.address], let first = addresses.first else { continue }
      result.append(contentsOf: value[position..<found.range.lowerBound])
      result.append(text: first.description)
      result.append(contentsOf: value[found.range.upperBound..<found.end])
      for address in addresses.dropFirst() {
        result.append(ascii: ",\r\n ")
        result.append(text: address.description)
      }
      position = found.end
      guard result.count <= MailHeader.Syntax.sizeLimit else { throw AddressRewriting.sizeError }
    }
    guard position > 0 else { return nil }
    return result + value[position...]
  }

  /// The error of a header that is too large with its aliases replaced.
  static var sizeError: MailError {
    MailError(
      "header", "more than \(MailHeader.Syntax.sizeLimit) bytes once its aliases are replaced",
      remedy: "name fewer recipients in To and Cc")
  }
}
