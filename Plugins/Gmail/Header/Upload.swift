/// The octets that go to the API: a small head of our own, then the mail as it was lent.
struct UploadBody {
  /// What matters of a mail's header.
  struct Header {
    /// Where it ends, before the empty line.
    var end = 0
    /// Its Bcc field.
    var bcc: HeaderScanner.Field?
    /// Whether From names another than the envelope's sender.
    var fromDiffersFromSender = false
  }

  /// Whether bounces go to another than the envelope's sender.
  let fromDiffersFromSender: Bool

  let head: [UInt8]
  let tail: UnsafeRawBufferPointer

  /// How many octets there are.
  var count: Int { head.count + tail.count }

  /// The mail with `recipients` added as Bcc. A Bcc field it has already becomes part of that one.
  init(_ octets: UnsafeRawBufferPointer, header: Header, adding recipients: [String]) {
    fromDiffersFromSender = header.fromDiffersFromSender
    guard !recipients.isEmpty else {
      head = []
      tail = octets
      return
    }
    var head: [UInt8] = []
    var column = Self.append("Bcc:", to: &head)
    for (index, recipient) in recipients.enumerated() {
      let isLast = index == recipients.count - 1
      // RFC 5322, 2.1.1: a line should have at most 78 characters.
      if index > 0, column + recipient.utf8.count + (isLast ? 1 : 2) > 78 {
        head += [0x0D, 0x0A]
        column = 0
      }
      column += Self.append(" \(recipient)\(isLast ? "" : ",")", to: &head)
    }
    if let bcc = header.bcc {
      let rest = octets[bcc.value]
      // A field without an address in it adds none.
      if rest.contains(where: { !Self.isSpace($0) }) {
        head += [UInt8(ascii: ","), 0x0D, 0x0A, 0x20]
        head += rest.drop(while: Self.isSpace)
      } else {
        head += [0x0D, 0x0A]
      }
      head += octets[..<bcc.lines.lowerBound]
      head += octets[bcc.lines.upperBound..<header.end]
      tail = UnsafeRawBufferPointer(rebasing: octets[header.end...])
    } else {
      head += [0x0D, 0x0A]
      tail = octets
    }
    self.head = head
  }

  private static func isSpace(_ octet: UInt8) -> Bool {
    octet == 0x20 || octet == 0x09 || octet == 0x0D || octet == 0x0A
  }

  private static func append(_ text: String, to head: inout [UInt8]) -> Int {
    head += text.utf8
    return text.utf8.count
  }
}
