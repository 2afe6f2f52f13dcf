// `_nfc`: the standard library has the tables of normalization, but no public name for them yet.
@_spi(_Unicode) internal import Swift

// The forms by which addresses are compared. Mail is never sent to them.
extension Address {
  /// The form that is equal for all spellings that reach the same mailbox: case-folded, in normalization form C and without
  /// `+tag`.
  ///
  /// Letters that share a lower- or upper-case form count as one (`ẞ`, `ß` and `ss`; `ı` and `i`). Gmail ignores dots,
  /// and `googlemail.com` is another name of `gmail.com`.
  var mailboxIdentity: String {
    var local = Address.composed(unquotedLocalPart.lowercased().uppercased().lowercased())
    if let plus = local.firstIndex(of: "+"), plus != local.startIndex { local = String(local[..<plus]) }
    guard ["gmail.com", "googlemail.com"].contains(domain) else { return "\(local)@\(domain)" }
    let letters = local.filter { $0 != "." }
    return "\(letters.isEmpty ? local : letters)@gmail.com"
  }

  /// The local part without quotes: `"kim"`, `"k\im"` and `kim` are the same one (RFC 5321, 4.1.2).
  var unquotedLocalPart: String {
    let typed = localPart.unicodeScalars
    guard typed.first == "\"" else { return localPart }
    var local = String.UnicodeScalarView()
    var isEscaped = false
    for scalar in typed.dropFirst().dropLast() {
      isEscaped = !isEscaped && scalar == "\\"
      if !isEscaped { local.append(scalar) }
    }
    return String(local)
  }

  /// Returns the text in normalization form C, in which composed and decomposed accents are equal.
  private static func composed(_ text: String) -> String {
    text.utf8.allSatisfy { $0 < 0x80 } ? text : String(String.UnicodeScalarView(text._nfc))
  }
}
