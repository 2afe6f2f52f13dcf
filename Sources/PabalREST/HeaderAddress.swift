internal import CPabalIDN

/// An address in a normalized form for comparison: unquoted local part, ASCII in lower case, domain as A-labels.
struct HeaderAddress: Hashable {
  let bytes: [UInt8]

  /// An address from its unquoted local part and its domain; `nil` if the domain is invalid.
  init?(local: some Collection<UInt8>, domain: some Collection<UInt8>) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(local.count + domain.count + 1)
    for byte in local { bytes.append(Self.lowercased(byte)) }
    bytes.append(UInt8(ascii: "@"))
    let start = bytes.count
    guard start > 1 else { return nil }
    if domain.first == UInt8(ascii: "[") {
      for byte in domain { bytes.append(Self.lowercased(byte)) }
      self.bytes = bytes
      return
    }
    if domain.contains(where: { $0 >= 0x80 }) {
      guard let labels = Self.aLabels(Array(domain)) else { return nil }
      for byte in labels { bytes.append(Self.lowercased(byte)) }
    } else {
      for byte in domain { bytes.append(Self.lowercased(byte)) }
    }
    guard Self.isHostName(bytes[start...]) else { return nil }
    self.bytes = bytes
  }

  /// Parses an envelope's address; `nil` if it isn't valid in a header.
  init?(_ text: String) {
    if let plain = Self.plain(text.utf8Span.span) {
      bytes = plain
      return
    }
    // Only a quoted local part contains spaces; the scanner would skip others.
    let isQuoted = text.utf8.first == UInt8(ascii: "\"")
    guard text.utf8.allSatisfy({ ($0 > 0x20 || $0 == 0x20 && isQuoted) && $0 != 0x7F }) else { return nil }
    var text = text
    let read: HeaderAddress? = text.withUTF8 { bytes in
      var scanner = AddressScanner(UnsafeRawBufferPointer(bytes))
      do throws(AddressScanner.SyntaxError) {
        try scanner.readList()
      } catch {
        return nil
      }
      let isPlain = scanner.found.count == 1 && !scanner.isDecorated
      return isPlain ? scanner.found[0] : nil
    }
    guard let read else { return nil }
    self = read
  }

  /// Returns the normalized address if it consists of ASCII atoms and a host name, as nearly all do; otherwise `nil`.
  private static func plain(_ text: Span<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var domain: Int?
    var previous = UInt8(ascii: ".")
    for index in text.indices {
      let byte = text[index]
      if byte == UInt8(ascii: "@"), domain == nil, previous != UInt8(ascii: ".") {
        domain = index + 1
      } else if byte == UInt8(ascii: ".") {
        guard previous != byte, previous != UInt8(ascii: "@") else { return nil }
      } else if byte >= 0x80 || !AddressScanner.isAtomText(byte) {
        return nil
      }
      bytes.append(lowercased(byte))
      previous = byte
    }
    guard let domain, previous != UInt8(ascii: "."), isHostName(bytes[domain...]) else { return nil }
    return bytes
  }

  private static func lowercased(_ byte: UInt8) -> UInt8 {
    (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
  }

  /// Whether `name` is labels of letters, digits and hyphens, separated by dots (RFC 5321, 4.1.2).
  private static func isHostName(_ name: ArraySlice<UInt8>) -> Bool {
    var previous = UInt8(ascii: ".")
    for byte in name {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
        break
      case UInt8(ascii: ".") where previous != UInt8(ascii: "."): break
      default: return false
      }
      previous = byte
    }
    return previous != UInt8(ascii: ".")
  }

  /// Converts to A-labels by IDNA2008, non-transitional, after NFC (RFC 5891, UTS 46), as the host does for envelopes.
  private static func aLabels(_ bytes: [UInt8]) -> [UInt8]? {
    guard String(validating: bytes, as: UTF8.self) != nil else { return nil }
    var found: UnsafeMutablePointer<UInt8>?
    let flags = Int32(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue)
    let status = (bytes + [0]).withUnsafeBufferPointer { idn2_lookup_u8($0.baseAddress, &found, flags) }
    guard status == IDN2_OK.rawValue, let found else { return nil }
    defer { idn2_free(found) }
    var labels: [UInt8] = []
    var next = found
    while next.pointee != 0 {
      labels.append(next.pointee)
      next += 1
    }
    return labels
  }
}
