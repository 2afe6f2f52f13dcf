package import PabalPlugin

/// What a mail API is called and what it accepts.
package struct MailAPI: Sendable {
  /// The service, as in "Gmail accepts 500".
  package let service: String
  /// The API, as in "Gmail's API would send it there".
  package let name: String
  /// The maximum number of recipients of a mail.
  package let maxRecipients: Int
  /// The maximum size of a mail in bytes, before it is encoded for the request.
  package let maxSize: Int

  /// Describes an API.
  package init(service: String, name: String, maxRecipients: Int, maxSize: Int) {
    self.service = service
    self.name = name
    self.maxRecipients = maxRecipients
    self.maxSize = maxSize
  }
}

/// A mail for one attempt by a REST API; `bytes` are borrowed from the host until the attempt ends.
///
/// Such an API has no envelope: it reads the recipients from To, Cc and Bcc. An address there that isn't in the
/// envelope makes the mail unsuited, because the API would send to it. Recipients that aren't there are added as Bcc,
/// which the API removes.
package struct RESTMail {
  /// The envelope's sender; empty if it is null.
  package let sender: String
  /// The envelope's recipients.
  package let recipients: [String]
  /// The mail, with CRLF line ends.
  package let bytes: UnsafeRawBufferPointer
  /// Whether an address or a header isn't ASCII.
  package let needsSMTPUTF8: Bool

  /// A mail from its parts.
  package init(
    sender: String, recipients: [String], bytes: UnsafeRawBufferPointer, needsSMTPUTF8: Bool = false
  ) {
    self.sender = sender
    self.recipients = recipients
    self.bytes = bytes
    self.needsSMTPUTF8 = needsSMTPUTF8
  }

  /// The host's mail.
  package init(_ mail: PluginMail) {
    self.init(
      sender: mail.sender, recipients: mail.recipients, bytes: mail.bytes, needsSMTPUTF8: mail.needsSMTPUTF8)
  }

  /// Returns the mail with a header that names exactly the envelope's recipients, or throws if `api` can't carry it.
  package func reconciled(for api: MailAPI) throws(UnsuitedMailError) -> ReconciledMail {
    guard recipients.count <= api.maxRecipients else {
      throw UnsuitedMailError(
        "the mail has \(recipients.count) recipients, \(api.service) accepts \(api.maxRecipients)")
    }
    var named = try EnvelopeRecipients(recipients, api)
    let header = try read(&named, api)
    let added = named.unnamed.map { recipients[$0] }
    let mail = ReconciledMail(bytes, header: header, adding: added)
    guard mail.count <= api.maxSize else {
      throw UnsuitedMailError("the mail has \(mail.count) bytes, \(api.name) accepts \(api.maxSize)")
    }
    return mail
  }

  /// Reads the header and marks the recipients that it names.
  private func read(
    _ named: inout EnvelopeRecipients, _ api: MailAPI
  ) throws(UnsuitedMailError) -> ReconciledMail.Header {
    var seen: [AddressField] = []
    var header = ReconciledMail.Header()
    var scanner = HeaderScanner(bytes)
    while let field = try scanner.next() {
      if scanner.isResent(field) {
        throw UnsuitedMailError(
          "the mail has Resent- fields, and it isn't known to whom \(api.name) would send it")
      }
      guard let kind = scanner.kind(of: field) else { continue }
      guard kind != .from else {
        header.fromDiffersFromSender = header.fromDiffersFromSender || !isSender(bytes[field.value])
        continue
      }
      // RFC 5322, 3.6 allows one of each. Which of two an API reads isn't documented.
      guard !seen.contains(kind) else {
        throw UnsuitedMailError(
          "the mail has two \(kind.rawValue) fields, and \(api.service) may read only one of them")
      }
      seen.append(kind)
      if kind == .bcc { header.bcc = field }
      var addressScanner = AddressScanner(UnsafeRawBufferPointer(rebasing: bytes[field.value]))
      do throws(AddressScanner.SyntaxError) {
        try addressScanner.readList()
      } catch {
        throw UnsuitedMailError(
          "\(kind.rawValue) is ambiguous or malformed, and \(api.name) would send to the addresses it reads there"
        )
      }
      for address in addressScanner.found {
        guard named.markNamed(address) else {
          let shown = String(decoding: address.bytes, as: UTF8.self)
          throw UnsuitedMailError(
            "\(kind.rawValue) names \(shown), which isn't a recipient of this attempt, and \(api.name) would send it there"
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

/// A mail whose header agrees with its envelope: a head with changed or added fields, and the rest of the mail in its own memory.
package struct ReconciledMail {
  /// What `RESTMail` found in the header.
  struct Header {
    /// The index of the empty line after the header.
    var end = 0
    /// The Bcc field, if there is one.
    var bcc: HeaderScanner.Field?
    /// Whether the envelope's sender isn't in From.
    var fromDiffersFromSender = false
  }

  /// Whether the envelope's sender isn't in From, so that bounces don't reach it.
  package let fromDiffersFromSender: Bool

  /// The first bytes, if they differ from the mail's; may be empty.
  package let head: [UInt8]
  /// The rest, borrowed from the mail.
  package let tail: UnsafeRawBufferPointer

  /// The size in bytes.
  package var count: Int { head.count + tail.count }

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
  init(_ recipients: [String], _ api: MailAPI) throws(UnsuitedMailError) {
    addresses.reserveCapacity(recipients.count)
    for recipient in recipients {
      guard let address = HeaderAddress(recipient) else {
        throw UnsuitedMailError(
          "the recipient \(recipient) can't be written in a header, from which \(api.service) reads the recipients"
        )
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
