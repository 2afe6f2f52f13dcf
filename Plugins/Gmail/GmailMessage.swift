/// A mail for one attempt; `bytes` are borrowed from the host until the attempt ends.
struct GmailMessage {
  let sender: String
  let recipients: [String]
  let bytes: UnsafeRawBufferPointer
  var needsSMTPUTF8 = false

  /// Returns the body of the request, or throws if the API can't carry the mail.
  ///
  /// Gmail reads the recipients from To, Cc and Bcc. An address there that isn't in the envelope makes the mail
  /// unsuited, because Gmail would send to it. Recipients that aren't there are added as Bcc, which Gmail removes.
  func upload() throws(UnsuitedMailError) -> UploadBody {
    guard recipients.count <= GmailAPI.maxRecipients else {
      throw UnsuitedMailError(
        "the mail has \(recipients.count) recipients, Gmail accepts \(GmailAPI.maxRecipients)")
    }
    var named = try EnvelopeRecipients(recipients)
    let header = try read(&named)
    let added = named.unnamed.map { recipients[$0] }
    let upload = UploadBody(bytes, header: header, adding: added)
    guard upload.count <= GmailAPI.maxUploadSize else {
      throw UnsuitedMailError(
        "the mail has \(upload.count) bytes, Gmail's API accepts \(GmailAPI.maxUploadSize)")
    }
    return upload
  }

  /// Reads the header and marks the recipients that it names.
  private func read(_ named: inout EnvelopeRecipients) throws(UnsuitedMailError) -> UploadBody.Header {
    var seen: [AddressField] = []
    var header = UploadBody.Header()
    var scanner = HeaderScanner(bytes)
    while let field = try scanner.next() {
      if scanner.isResent(field) {
        throw UnsuitedMailError(
          "the mail has Resent- fields, and it isn't known to whom Gmail's API would send it")
      }
      guard let kind = scanner.kind(of: field) else { continue }
      guard kind != .from else {
        header.fromDiffersFromSender = header.fromDiffersFromSender || !isSender(bytes[field.value])
        continue
      }
      // RFC 5322, 3.6 allows one of each. Which of two Gmail reads isn't documented.
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
          "\(kind.rawValue) is ambiguous or malformed, and Gmail's API would send to the addresses it reads there"
        )
      }
      for address in addressScanner.found {
        guard named.markNamed(address) else {
          let shown = String(decoding: address.bytes, as: UTF8.self)
          throw UnsuitedMailError(
            "\(kind.rawValue) names \(shown), which isn't a recipient of this attempt, and Gmail's API would send it there"
          )
        }
      }
    }
    header.end = scanner.position
    return header
  }

  /// Whether the envelope's sender is among the addresses in From. The API has no separate envelope sender.
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

/// The body of an upload: a head with changed or added fields, and the rest of the mail in its own memory.
struct UploadBody {
  /// What `GmailMessage` found in the header.
  struct Header {
    /// The index of the empty line after the header.
    var end = 0
    /// The Bcc field, if there is one.
    var bcc: HeaderScanner.Field?
    /// Whether the envelope's sender isn't in From.
    var fromDiffersFromSender = false
  }

  /// Whether the envelope's sender isn't in From, so that bounces don't reach it.
  let fromDiffersFromSender: Bool

  let head: [UInt8]
  let tail: UnsafeRawBufferPointer

  /// The size in bytes.
  var count: Int { head.count + tail.count }

  /// The mail with `recipients` added as Bcc. An existing Bcc field is merged into the new one.
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
      // RFC 5322, 2.1.1 recommends at most 78 characters per line.
      if index > 0, column + recipient.utf8.count + (isLast ? 1 : 2) > 78 {
        head += [0x0D, 0x0A]
        column = 0
      }
      column += Self.append(" \(recipient)\(isLast ? "" : ",")", to: &head)
    }
    if let bcc = header.bcc {
      let rest = bytes[bcc.value]
      // A Bcc field may be empty.
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

/// An envelope's recipients, and which of them the header names.
struct EnvelopeRecipients {
  private var addresses: [HeaderAddress] = []
  private var isNamed: [Bool] = []
  /// The index of each address; empty for up to `linearSearchLimit` addresses, for which a linear search is faster.
  private var indexByAddress: [HeaderAddress: Int] = [:]
  private static let linearSearchLimit = 16

  /// Parses the addresses of an envelope; throws if one of them isn't valid in a header.
  init(_ recipients: [String]) throws(UnsuitedMailError) {
    addresses.reserveCapacity(recipients.count)
    for recipient in recipients {
      guard let address = HeaderAddress(recipient) else {
        throw UnsuitedMailError(
          "the recipient \(recipient) can't be written in a header, from which Gmail reads the recipients")
      }
      addresses.append(address)
    }
    isNamed = Array(repeating: false, count: addresses.count)
    guard addresses.count > Self.linearSearchLimit else { return }
    for (index, address) in addresses.enumerated() where indexByAddress[address] == nil {
      indexByAddress[address] = index
    }
  }

  /// Marks `address` as named by the header; returns `false` if it isn't in the envelope.
  mutating func markNamed(_ address: HeaderAddress) -> Bool {
    guard let index = index(of: address) else { return false }
    isNamed[index] = true
    return true
  }

  /// The indices of the recipients that the header doesn't name; of equal addresses only the first.
  var unnamed: [Int] { addresses.indices.filter { !isNamed[$0] && index(of: addresses[$0]) == $0 } }

  private func index(of address: HeaderAddress) -> Int? {
    addresses.count > Self.linearSearchLimit ? indexByAddress[address] : addresses.firstIndex(of: address)
  }
}
