internal import CPabalIDN

/// An address in the one form by which two are the same here: no quotes, ASCII in lower case, A-labels.
struct HeaderAddress: Hashable {
  let octets: [UInt8]

  /// An address of its parts, the local one unquoted; `nil` when the domain is none.
  init?(local: [UInt8], domain: [UInt8]) {
    guard !local.isEmpty, let domain = Self.domain(domain) else { return nil }
    octets = local.map(Self.lowered) + [UInt8(ascii: "@")] + domain
  }

  /// Reads an envelope's address; `nil` when it could not stand in a header.
  init?(_ text: String) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
    var text = text
    let read: HeaderAddress? = text.withUTF8 { octets in
      var scanner = AddressScanner(UnsafeRawBufferPointer(octets))
      do throws(AddressScanner.Unreadable) {
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

  private static func lowered(_ octet: UInt8) -> UInt8 {
    (0x41...0x5A).contains(octet) ? octet | 0x20 : octet
  }

  private static func domain(_ octets: [UInt8]) -> [UInt8]? {
    guard !octets.isEmpty else { return nil }
    if octets[0] == UInt8(ascii: "[") { return octets.map(lowered) }
    var name = octets.map(lowered)
    if octets.contains(where: { $0 >= 0x80 }) {
      guard let labels = aLabels(octets) else { return nil }
      name = labels.map(lowered)
    }
    // RFC 5321, 4.1.2: labels of letters, digits and hyphens, with a dot between.
    var previous = UInt8(ascii: ".")
    for octet in name {
      switch octet {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
        break
      case UInt8(ascii: ".") where previous != UInt8(ascii: "."): break
      default: return nil
      }
      previous = octet
    }
    return previous == UInt8(ascii: ".") ? nil : name
  }

  /// IDNA2008, non-transitional, after NFC (RFC 5891, UTS 46), as the envelope's domains were made.
  private static func aLabels(_ octets: [UInt8]) -> [UInt8]? {
    guard String(validating: octets, as: UTF8.self) != nil else { return nil }
    var found: UnsafeMutablePointer<UInt8>?
    let flags = Int32(IDN2_NFC_INPUT.rawValue | IDN2_NONTRANSITIONAL.rawValue)
    let status = (octets + [0]).withUnsafeBufferPointer { idn2_lookup_u8($0.baseAddress, &found, flags) }
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
