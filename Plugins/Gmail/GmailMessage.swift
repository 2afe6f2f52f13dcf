/// A mail as the engine needs it: plain values, the bytes lent for one attempt.
struct GmailMessage {
  let sender: String
  let recipients: [String]
  let bytes: UnsafeRawBufferPointer
  var needsSMTPUTF8 = false

  /// What goes to the API, or why nothing may.
  ///
  /// Gmail reads the recipients from To, Cc and Bcc. Whom these name outside the envelope would get the mail, and
  /// a recipient they don't name would not: the latter are added as Bcc, which Gmail takes out again.
  func upload() throws(UnsuitedMailError) -> UploadBody {
    guard recipients.count <= GmailAPI.maxRecipients else {
      throw UnsuitedMailError(
        "the mail has \(recipients.count) recipients, Gmail takes \(GmailAPI.maxRecipients)")
    }
    var named = try EnvelopeRecipients(recipients)
    let header = try read(&named)
    let added = named.unnamed.map { recipients[$0] }
    let upload = UploadBody(bytes, header: header, adding: added)
    guard upload.count <= GmailAPI.maxUploadSize else {
      throw UnsuitedMailError(
        "the mail has \(upload.count) octets, Gmail's API takes \(GmailAPI.maxUploadSize)")
    }
    return upload
  }

  /// Reads the header; notes whom it names.
  private func read(_ named: inout EnvelopeRecipients) throws(UnsuitedMailError) -> UploadBody.Header {
    var seen: [AddressField] = []
    var header = UploadBody.Header()
    var scanner = HeaderScanner(bytes)
    while let field = try scanner.next() {
      if scanner.isResent(field) {
        throw UnsuitedMailError(
          "the mail has Resent- fields, and whom Gmail's API would send it to isn't certain")
      }
      guard let kind = scanner.kind(of: field) else { continue }
      guard kind != .from else {
        header.fromDiffersFromSender = header.fromDiffersFromSender || !isSender(bytes[field.value])
        continue
      }
      // RFC 5322, 3.6: at most one of each. Which of two Gmail would read, nobody knows.
      guard !seen.contains(kind) else {
        throw UnsuitedMailError(
          "the mail has two \(kind.rawValue) fields, and Gmail may read only one of them")
      }
      seen.append(kind)
      if kind == .bcc { header.bcc = field }
      var addressScanner = AddressScanner(UnsafeRawBufferPointer(rebasing: bytes[field.value]))
      do throws(AddressScanner.SyntaxError) {
        try addressScanner.readList()
      } catch {
        throw UnsuitedMailError(
          "\(kind.rawValue) can't be read in one way only, and Gmail's API would mail whom it reads there")
      }
      for address in addressScanner.found {
        guard named.markNamed(address) else {
          let shown = String(decoding: address.bytes, as: UTF8.self)
          throw UnsuitedMailError(
            "\(kind.rawValue) names \(shown), who is not to get this mail now, and Gmail's API would send it there"
          )
        }
      }
    }
    header.end = scanner.position
    return header
  }

  /// Whether the envelope's sender is among the authors; the API has no place for another one.
  private func isSender(_ value: Slice<UnsafeRawBufferPointer>) -> Bool {
    guard let sender = HeaderAddress(sender) else { return false }
    var addressScanner = AddressScanner(UnsafeRawBufferPointer(rebasing: value))
    do throws(AddressScanner.SyntaxError) {
      try addressScanner.readList()
    } catch {
      return false
    }
    return addressScanner.found.contains(sender)
  }
}

/// The bytes that go to the API: a small head of our own, then the mail as it was lent.
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

  /// How many bytes there are.
  var count: Int { head.count + tail.count }

  /// The mail with `recipients` added as Bcc. A Bcc field it has already becomes part of that one.
  init(_ bytes: UnsafeRawBufferPointer, header: Header, adding recipients: [String]) {
    fromDiffersFromSender = header.fromDiffersFromSender
    guard !recipients.isEmpty else {
      head = []
      tail = bytes
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
      let rest = bytes[bcc.value]
      // A field without an address in it adds none.
      if rest.contains(where: { !Self.isSpace($0) }) {
        head += [UInt8(ascii: ","), 0x0D, 0x0A, 0x20]
        head += rest.drop(while: Self.isSpace)
      } else {
        head += [0x0D, 0x0A]
      }
      head += bytes[..<bcc.lines.lowerBound]
      head += bytes[bcc.lines.upperBound..<header.end]
      tail = UnsafeRawBufferPointer(rebasing: bytes[header.end...])
    } else {
      head += [0x0D, 0x0A]
      tail = bytes
    }
    self.head = head
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A
  }

  private static func append(_ text: String, to head: inout [UInt8]) -> Int {
    head += text.utf8
    return text.utf8.count
  }
}

/// An envelope's recipients, and which of them the header has named.
struct EnvelopeRecipients {
  private var addresses: [HeaderAddress] = []
  private var isNamed: [Bool] = []
  /// Where each is; only for more than a look along the list is cheaper for.
  private var indexByAddress: [HeaderAddress: Int] = [:]
  private static let linearSearchLimit = 16

  /// Reads the addresses of an envelope; throws at one that can't stand in a header.
  init(_ recipients: [String]) throws(UnsuitedMailError) {
    addresses.reserveCapacity(recipients.count)
    for recipient in recipients {
      guard let address = HeaderAddress(recipient) else {
        throw UnsuitedMailError("the recipient \(recipient) can't be written in a header, as Gmail wants it")
      }
      addresses.append(address)
    }
    isNamed = Array(repeating: false, count: addresses.count)
    guard addresses.count > Self.linearSearchLimit else { return }
    for (index, address) in addresses.enumerated() where indexByAddress[address] == nil {
      indexByAddress[address] = index
    }
  }

  /// Notes that the header names `address`; `false`: the envelope doesn't.
  mutating func markNamed(_ address: HeaderAddress) -> Bool {
    guard let index = index(of: address) else { return false }
    isNamed[index] = true
    return true
  }

  /// The places of those whom nobody has named, of addresses that are alike the first.
  var unnamed: [Int] { addresses.indices.filter { !isNamed[$0] && index(of: addresses[$0]) == $0 } }

  private func index(of address: HeaderAddress) -> Int? {
    addresses.count > Self.linearSearchLimit ? indexByAddress[address] : addresses.firstIndex(of: address)
  }
}
