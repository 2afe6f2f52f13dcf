/// Parses the addresses of a To, Cc, Bcc or From field (RFC 5322, 3.4, with RFC 6532).
///
/// Strict: ambiguous syntax is an error, and so are obsolete forms. Empty elements, dots and brackets in names, and
/// an address as its own display name are accepted, because all parsers agree on them.
struct AddressScanner {
  /// The field is malformed or ambiguous.
  struct SyntaxError: Error {}

  private(set) var found: [HeaderAddress] = []
  /// Whether the field contains more than addresses and commas: a name, a comment or a group.
  private(set) var isDecorated = false
  private let bytes: UnsafeRawBufferPointer
  private var position = 0

  /// The range of a dot-atom, or the content of a quoted string.
  private enum Word {
    case atom(Range<Int>)
    case quoted([UInt8])
  }

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Parses the whole field; `found` then contains all addresses, including those in groups.
  mutating func readList() throws(SyntaxError) {
    while true {
      try skipSpace()
      guard let byte = peek else { return }
      if byte == UInt8(ascii: ",") {
        position += 1
        continue
      }
      try readElement(isInGroup: false)
      try skipSpace()
      guard peek == nil || peek == UInt8(ascii: ",") else { throw SyntaxError() }
    }
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

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
      guard let byte = peek else { throw SyntaxError() }
      switch byte {
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

  /// Parses `@` and the domain after a local part.
  private mutating func readAddress(local: Word) throws(SyntaxError) -> HeaderAddress {
    position += 1
    try skipSpace()
    let start = position
    if peek == UInt8(ascii: "[") {
      while let byte = peek, byte != UInt8(ascii: "]") {
        guard byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "\\") else { throw SyntaxError() }
        position += 1
      }
      guard peek != nil else { throw SyntaxError() }
      position += 1
    } else {
      while let byte = peek, Self.isAtomText(byte) || byte == UInt8(ascii: ".") { position += 1 }
    }
    let domain = bytes[start..<position]
    let address: HeaderAddress?
    switch local {
    case .atom(let range):
      guard Self.isDotAtom(bytes[range]) else { throw SyntaxError() }
      address = HeaderAddress(local: bytes[range], domain: domain)
    case .quoted(let content):
      guard !content.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { throw SyntaxError() }
      address = HeaderAddress(local: content, domain: domain)
    }
    guard let address else { throw SyntaxError() }
    return address
  }

  /// Reads atoms, dots and quoted strings up to the next special character; returns the last one and their number.
  private mutating func readWords() throws(SyntaxError) -> (last: Word?, count: Int) {
    var last: Word?
    var count = 0
    while true {
      try skipSpace()
      guard let byte = peek else { break }
      let start = position
      if byte == UInt8(ascii: "\"") {
        last = .quoted(try readQuoted())
      } else {
        while let byte = peek, Self.isAtomText(byte) || Self.isTolerated(byte) { position += 1 }
        guard position > start else { break }
        last = .atom(start..<position)
      }
      count += 1
      if count > 1 { isDecorated = true }
    }
    return (last, count)
  }

  /// Returns the content of the quoted string at the current position.
  private mutating func readQuoted() throws(SyntaxError) -> [UInt8] {
    var content: [UInt8] = []
    position += 1
    while let byte = peek {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return content
      case UInt8(ascii: "\\"):
        guard let escaped = peek, escaped >= 0x20, escaped != 0x7F else { throw SyntaxError() }
        content.append(escaped)
        position += 1
      case 0x0D, 0x0A: break
      case 0x00..<0x20 where byte != 0x09, 0x7F: throw SyntaxError()
      default: content.append(byte)
      }
    }
    throw SyntaxError()
  }

  /// Skips white space, folds and comments.
  private mutating func skipSpace() throws(SyntaxError) {
    var depth = 0
    while let byte = peek {
      switch byte {
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
    guard depth == 0, position <= bytes.count else { throw SyntaxError() }
  }

  private static func isDotAtom(_ bytes: Slice<UnsafeRawBufferPointer>) -> Bool {
    var previous = UInt8(ascii: ".")
    for byte in bytes {
      guard isAtomText(byte) || (byte == UInt8(ascii: ".") && previous != byte) else { return false }
      previous = byte
    }
    return previous != UInt8(ascii: ".")
  }

  private static func isTolerated(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: ".") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]")
  }

  /// Whether a byte is `atext` (RFC 5322, 3.2.3, with RFC 6532).
  ///
  /// A bit mask for ASCII, because a switch over ranges needs a dozen comparisons per byte.
  static func isAtomText(_ byte: UInt8) -> Bool {
    switch byte {
    case 0..<64: 0xA3FF_ACFA_0000_0000 >> UInt64(byte) & 1 == 1 as UInt64
    case 64..<128: 0x7FFF_FFFF_C7FF_FFFE >> UInt64(byte - 64) & 1 == 1 as UInt64
    default: true
    }
  }
}
