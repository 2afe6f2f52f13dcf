/// Why a REST API can't carry a mail.
package struct UnsuitedMailError: Error, Equatable {
  package let message: String
  package init(_ message: String) { self.message = message }
}

/// A header field whose addresses matter here.
enum AddressField: String, CaseIterable {
  case to = "To"
  case cc = "Cc"
  case bcc = "Bcc"
  case from = "From"
}

/// Iterates over the fields of a mail's header without copying.
struct HeaderScanner {
  /// The ranges of a field's name, its value after the colon, and all its lines.
  struct Field {
    let name: Range<Int>
    let value: Range<Int>
    let lines: Range<Int>
  }

  private let bytes: UnsafeRawBufferPointer
  /// The index of the next field; at the end, of the empty line before the body.
  private(set) var position = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Returns the next field, or `nil` at the end of the header.
  mutating func next() throws(UnsuitedMailError) -> Field? {
    let start = position
    guard start < bytes.count, !isEmptyLine(start) else { return nil }
    var colon = start
    // A name is printable ASCII without a colon (RFC 5322, 2.2).
    while colon < bytes.count, (0x21...0x7E).contains(bytes[colon]), bytes[colon] != UInt8(ascii: ":") {
      colon += 1
    }
    var end = colon
    // White space before the colon is obsolete but legal (RFC 5322, 4.5).
    while end < bytes.count, Self.isBlank(bytes[end]) { end += 1 }
    guard colon > start, end < bytes.count, bytes[end] == UInt8(ascii: ":") else {
      throw UnsuitedMailError("a line of the mail's header isn't a field, so the recipients aren't certain")
    }
    var line = end
    repeat { line = try endOfLine(line) } while line < bytes.count && Self.isBlank(bytes[line])
    position = line
    return Field(name: start..<colon, value: (end + 1)..<line, lines: start..<line)
  }

  /// Returns which address field it is, or `nil` for another field.
  func kind(of field: Field) -> AddressField? {
    // The length alone rules out most fields.
    switch field.name.count {
    case 2: isName(field.name, "to") ? .to : isName(field.name, "cc") ? .cc : nil
    case 3: isName(field.name, "bcc") ? .bcc : nil
    case 4: isName(field.name, "from") ? .from : nil
    default: nil
    }
  }

  /// Whether it is a Resent- field (RFC 5322, 3.6.6).
  func isResent(_ field: Field) -> Bool {
    field.name.count > 7 && isName(field.name.prefix(7), "resent-")
  }

  private func isName(_ range: Range<Int>, _ name: StaticString) -> Bool {
    guard range.count == name.utf8CodeUnitCount else { return false }
    for i in 0..<range.count where bytes[range.lowerBound + i] | 0x20 != name.utf8Start[i] | 0x20 {
      return false
    }
    return true
  }

  private func isEmptyLine(_ start: Int) -> Bool {
    bytes[start] == 0x0D && start + 1 < bytes.count && bytes[start + 1] == 0x0A
  }

  private func endOfLine(_ start: Int) throws(UnsuitedMailError) -> Int {
    var i = start
    while i < bytes.count, bytes[i] != 0x0A, bytes[i] != 0x0D { i += 1 }
    // A bare CR or LF may start a new field for the API but not for other parsers.
    guard i + 1 < bytes.count, bytes[i] == 0x0D, bytes[i + 1] == 0x0A else {
      throw UnsuitedMailError("a line of the mail's header doesn't end with CR LF")
    }
    return i + 2
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
