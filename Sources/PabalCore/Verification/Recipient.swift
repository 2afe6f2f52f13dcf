/// A recipient as verifications tell recipients apart.
struct Recipient: Sendable, Hashable {
  /// Where the mail goes, as typed.
  let address: Address

  /// What a newer start for it replaces: people don't remember how they capitalised their address.
  var identity: String { address.description.lowercased() }

  /// What limits count as one: lower-cased and without `+tag`, so that tags don't multiply what a mailbox gets.
  var mailbox: String {
    let local = address.localPart.lowercased()
    guard !local.hasPrefix("\""), let plus = local.firstIndex(of: "+"), plus != local.startIndex else {
      return identity
    }
    return "\(local[..<plus])@\(address.domain)"
  }

  /// As logs and pages show it: `k***@example.com`.
  var masked: String { address.masked }
}
