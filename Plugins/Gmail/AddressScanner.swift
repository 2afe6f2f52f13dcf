/// Reads the addresses of a To, Cc, Bcc or From field: RFC 5322, 3.4, with RFC 6532.
///
/// Strict: what can be read in two ways, obsolete forms among them, is unreadable. Tolerated because everybody
/// reads them alike: empty elements, dots and brackets in names, and an address as its own name.
struct AddressScanner {
  /// The field can't be read, or not in one way only.
  struct SyntaxError: Error {}

  private(set) var found: [HeaderAddress] = []
  /// Whether there was more than addresses and commas: a name, a comment, a group.
  private(set) var isDecorated = false
  private let octets: UnsafeRawBufferPointer
  private var position = 0

  /// A dot-atom where it stands, or the content of a quoted string.
  private enum Word {
    case atom(Range<Int>)
    case quoted([UInt8])
  }

  init(_ octets: UnsafeRawBufferPointer) { self.octets = octets }

  /// Reads to the end; `found` then holds all of them, those of groups too.
  mutating func readList() throws(SyntaxError) {
    while true {
      try skipSpace()
      guard let octet = peek else { return }
      if octet == UInt8(ascii: ",") {
        position += 1
        continue
      }
      try readElement(isInGroup: false)
      try skipSpace()
      guard peek == nil || peek == UInt8(ascii: ",") else { throw SyntaxError() }
    }
  }

  private var peek: UInt8? { position < octets.count ? octets[position] : nil }

  private mutating func readElement(isInGroup: Bool) throws(SyntaxError) {
    let (last, count) = try readWords()
    switch peek {
    case UInt8(ascii: "<"):
      isDecorated = true
      found.append(try readAngle())
    case UInt8(ascii: "@"):
      guard count == 1, let last else { throw SyntaxError() }
      let address = try readAddress(local: last)
      try skipSpace()
      if peek == UInt8(ascii: "<") {
        isDecorated = true
        guard try readAngle() == address else { throw SyntaxError() }
      }
      found.append(address)
    case UInt8(ascii: ":") where !isInGroup && count > 0:
      isDecorated = true
      position += 1
      try readGroup()
    default: throw SyntaxError()
    }
  }

  private mutating func readGroup() throws(SyntaxError) {
    while true {
      try skipSpace()
      guard let octet = peek else { throw SyntaxError() }
      switch octet {
      case UInt8(ascii: ";"):
        position += 1
        return
      case UInt8(ascii: ","): position += 1
      default:
        try readElement(isInGroup: true)
        try skipSpace()
        guard peek == UInt8(ascii: ",") || peek == UInt8(ascii: ";") else { throw SyntaxError() }
      }
    }
  }

  private mutating func readAngle() throws(SyntaxError) -> HeaderAddress {
    position += 1
    try skipSpace()
    let (local, count) = try readWords()
    guard count == 1, let local, peek == UInt8(ascii: "@") else { throw SyntaxError() }
    let address = try readAddress(local: local)
    try skipSpace()
    guard peek == UInt8(ascii: ">") else { throw SyntaxError() }
    position += 1
    return address
  }

  /// What follows a local part, from its `@` on.
  private mutating func readAddress(local: Word) throws(SyntaxError) -> HeaderAddress {
    position += 1
    try skipSpace()
    let start = position
    if peek == UInt8(ascii: "[") {
      while let octet = peek, octet != UInt8(ascii: "]") {
        guard octet > 0x20, octet < 0x7F, octet != UInt8(ascii: "\\") else { throw SyntaxError() }
        position += 1
      }
      guard peek != nil else { throw SyntaxError() }
      position += 1
    } else {
      while let octet = peek, Self.isAtomText(octet) || octet == UInt8(ascii: ".") { position += 1 }
    }
    let domain = octets[start..<position]
    let address: HeaderAddress?
    switch local {
    case .atom(let range):
      guard Self.isDotAtom(octets[range]) else { throw SyntaxError() }
      address = HeaderAddress(local: octets[range], domain: domain)
    case .quoted(let content):
      guard !content.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else { throw SyntaxError() }
      address = HeaderAddress(local: content, domain: domain)
    }
    guard let address else { throw SyntaxError() }
    return address
  }

  /// Reads atoms, dots and quoted strings up to the next special character; answers the last one.
  private mutating func readWords() throws(SyntaxError) -> (last: Word?, count: Int) {
    var last: Word?
    var count = 0
    while true {
      try skipSpace()
      guard let octet = peek else { break }
      let start = position
      if octet == UInt8(ascii: "\"") {
        last = .quoted(try readQuoted())
      } else {
        while let octet = peek, Self.isAtomText(octet) || Self.isTolerated(octet) { position += 1 }
        guard position > start else { break }
        last = .atom(start..<position)
      }
      count += 1
      if count > 1 { isDecorated = true }
    }
    return (last, count)
  }

  /// The content of the quoted string that begins here.
  private mutating func readQuoted() throws(SyntaxError) -> [UInt8] {
    var content: [UInt8] = []
    position += 1
    while let octet = peek {
      position += 1
      switch octet {
      case UInt8(ascii: "\""): return content
      case UInt8(ascii: "\\"):
        guard let escaped = peek, escaped >= 0x20, escaped != 0x7F else { throw SyntaxError() }
        content.append(escaped)
        position += 1
      case 0x0D, 0x0A: break
      case 0x00..<0x20 where octet != 0x09, 0x7F: throw SyntaxError()
      default: content.append(octet)
      }
    }
    throw SyntaxError()
  }

  /// Passes over white space, folds and comments.
  private mutating func skipSpace() throws(SyntaxError) {
    var depth = 0
    while let octet = peek {
      switch octet {
      case 0x20, 0x09, 0x0D, 0x0A: break
      case UInt8(ascii: "("):
        depth += 1
        isDecorated = true
      case UInt8(ascii: ")") where depth > 0: depth -= 1
      case UInt8(ascii: "\\") where depth > 0: position += 1
      case 0x00..<0x20, 0x7F: throw SyntaxError()
      default: if depth == 0 { return }
      }
      position += 1
    }
    guard depth == 0, position <= octets.count else { throw SyntaxError() }
  }

  private static func isDotAtom(_ octets: Slice<UnsafeRawBufferPointer>) -> Bool {
    var previous = UInt8(ascii: ".")
    for octet in octets {
      guard isAtomText(octet) || (octet == UInt8(ascii: ".") && previous != octet) else { return false }
      previous = octet
    }
    return previous != UInt8(ascii: ".")
  }

  private static func isTolerated(_ octet: UInt8) -> Bool {
    octet == UInt8(ascii: ".") || octet == UInt8(ascii: "[") || octet == UInt8(ascii: "]")
  }

  /// RFC 5322, 3.2.3, with RFC 6532.
  ///
  /// A bit for each of ASCII's 128: a switch over ranges costs a dozen comparisons an octet.
  static func isAtomText(_ octet: UInt8) -> Bool {
    switch octet {
    case 0..<64: 0xA3FF_ACFA_0000_0000 >> UInt64(octet) & 1 == 1 as UInt64
    case 64..<128: 0x7FFF_FFFF_C7FF_FFFE >> UInt64(octet - 64) & 1 == 1 as UInt64
    default: true
    }
  }
}
