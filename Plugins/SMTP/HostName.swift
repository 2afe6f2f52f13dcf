internal import CPabalIDN

/// Names of hosts as DNS and certificates have them.
enum HostName {
  /// Returns `name` with A-labels in place of international ones (IDNA2008, non-transitional, after NFC); `nil` if it
  /// isn't valid. ASCII is returned unchanged.
  static func ascii(_ name: String) -> String? {
    guard !SMTPSyntax.isASCII(name) else { return name }
    // A NUL would end the C string and silently cut the name.
    guard !name.utf8.contains(0) else { return nil }
    let flags = CInt(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue)
    var found: UnsafeMutablePointer<UInt8>?
    let status = (Array(name.utf8) + [0]).withUnsafeBufferPointer {
      idn2_lookup_u8($0.baseAddress, &found, flags)
    }
    guard status == IDN2_OK.rawValue, let found else { return nil }
    defer { idn2_free(found) }
    return String(cString: found)
  }
}
