internal import CPabalIDN

/// An address in the one form by which two are the same here: no quotes, ASCII in lower case, A-labels.
struct HeaderAddress: Hashable {
  let octets: [UInt8]

  /// An address of its parts, the local one unquoted; `nil` when the domain is none.
  init?(local: some Collection<UInt8>, domain: some Collection<UInt8>) {
    var octets: [UInt8] = []
    octets.reserveCapacity(local.count + domain.count + 1)
    for octet in local { octets.append(Self.lowercased(octet)) }
    octets.append(UInt8(ascii: "@"))
    let start = octets.count
    guard start > 1 else { return nil }
    if domain.first == UInt8(ascii: "[") {
      for octet in domain { octets.append(Self.lowercased(octet)) }
      self.octets = octets
      return
    }
    if domain.contains(where: { $0 >= 0x80 }) {
      guard let labels = Self.aLabels(Array(domain)) else { return nil }
      for octet in labels { octets.append(Self.lowercased(octet)) }
    } else {
      for octet in domain { octets.append(Self.lowercased(octet)) }
    }
    guard Self.isHostName(octets[start...]) else { return nil }
    self.octets = octets
  }

  /// Reads an envelope's address; `nil` when it could not stand in a header.
  init?(_ text: String) {
    if let plain = Self.plain(text.utf8Span.span) {
      octets = plain
      return
    }
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { return nil }
    var text = text
    let read: HeaderAddress? = text.withUTF8 { octets in
      var scanner = AddressScanner(UnsafeRawBufferPointer(octets))
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

  /// The address of plain ASCII atoms and a host name, as nearly all are; `nil`: read it with more care.
  private static func plain(_ text: Span<UInt8>) -> [UInt8]? {
    var octets: [UInt8] = []
    octets.reserveCapacity(text.count)
    var domain: Int?
    var previous = UInt8(ascii: ".")
    for index in text.indices {
      let octet = text[index]
      if octet == UInt8(ascii: "@"), domain == nil, previous != UInt8(ascii: ".") {
        domain = index + 1
      } else if octet == UInt8(ascii: ".") {
        guard previous != octet, previous != UInt8(ascii: "@") else { return nil }
      } else if octet >= 0x80 || !AddressScanner.isAtomText(octet) {
        return nil
      }
      octets.append(lowercased(octet))
      previous = octet
    }
    guard let domain, previous != UInt8(ascii: "."), isHostName(octets[domain...]) else { return nil }
    return octets
  }

  private static func lowercased(_ octet: UInt8) -> UInt8 {
    (0x41...0x5A).contains(octet) ? octet | 0x20 : octet
  }

  /// RFC 5321, 4.1.2: labels of letters, digits and hyphens, with a dot between.
  private static func isHostName(_ name: ArraySlice<UInt8>) -> Bool {
    var previous = UInt8(ascii: ".")
    for octet in name {
      switch octet {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
        break
      case UInt8(ascii: ".") where previous != UInt8(ascii: "."): break
      default: return false
      }
      previous = octet
    }
    return previous != UInt8(ascii: ".")
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
