/// A recipient as verifications tell recipients apart.
struct VerificationRecipient: Sendable, Hashable {
  /// Where the mail goes, as typed.
  let address: Address

  /// What a newer start for it replaces: people don't remember how they capitalised their address, and
  /// `"kim"`, `"k\im"` and `kim` are one local part (RFC 5321, 4.1.2).
  var identity: String { "\(unquoted.lowercased())@\(address.domain)" }

  /// What limits count as one: folded and without `+tag`, so that neither multiplies what a mailbox gets.
  ///
  /// Letters that some case of theirs makes one count as one (`ẞ`, `ß` and `ss`; `ı` and `i`). An accent that
  /// stands by itself and its composed letter count as two: telling needs tables that aren't here.
  var rateLimitIdentity: String {
    let local = unquoted.lowercased().uppercased().lowercased()
    guard let plus = local.firstIndex(of: "+"), plus != local.startIndex else {
      return "\(local)@\(address.domain)"
    }
    return "\(local[..<plus])@\(address.domain)"
  }

  /// As logs and pages show it: `k***@example.com`.
  var masked: String { address.masked }

  private var unquoted: String {
    let typed = address.localPart.unicodeScalars
    guard typed.first == "\"" else { return address.localPart }
    var local = String.UnicodeScalarView()
    var isEscaped = false
    for scalar in typed.dropFirst().dropLast() {
      isEscaped = !isEscaped && scalar == "\\"
      if !isEscaped { local.append(scalar) }
    }
    return String(local)
  }
}
