/// A bounce as it arrives in a mailbox: which mail it is about, and what became of which of its recipients.
///
/// Only a delivery status notification is one (RFC 3464, RFC 6533): `multipart/report` with a `delivery-status` part, as Gmail,
/// Exchange, Postfix, Exim and Pabal send it. Automatic replies, mail of lists, forwarded and quoted bounces aren't. Nothing
/// in a bounce is proof: whether the mail exists and had these recipients is for the caller to check.
package struct ReceivedBounce: Sendable, Hashable {
  /// What became of a recipient.
  package struct Recipient: Sendable, Hashable {
    /// The addresses by which the report names it: as the mail was addressed first, if it says so.
    package var addresses: [Address]
    /// Whether the mail won't be delivered; `false`: it hasn't been delivered yet.
    package var isFailed: Bool
    /// The status code of RFC 3463, such as `5.1.1`.
    package var status: String?

    /// Whether the address itself doesn't work, so that further mail to it is pointless (RFC 3463; `5.1.10` is Exchange's
    /// for an unknown recipient). Other codes blame the mail, its sender, a server or a policy, or say nothing.
    package var isAddressAtFault: Bool {
      guard isFailed, let parts = status?.split(separator: "."), parts.first == "5", parts.count == 3 else {
        return false
      }
      switch (parts[1], parts[2]) {
      case ("1", "1"), ("1", "2"), ("1", "3"), ("1", "6"), ("1", "10"), ("2", "1"): return true
      default: return false
      }
    }
  }

  /// The Message-IDs that the mail may have, with `<` and `>`, the likeliest first; at least one.
  package let messageIDs: [String]
  /// The recipients that the mail didn't reach, or not yet; at least one.
  package let recipients: [Recipient]

  /// The most bytes that are read of a mail. The parts of a report come before the mail that it returns.
  package static let sizeLimit = 1 << 20

  /// Reads a mail; returns `nil` if it isn't a bounce.
  package init?(_ bytes: [UInt8]) {
    let bytes = bytes.prefix(ReceivedBounce.sizeLimit)
    guard let report = ReceivedPart(bytes), report.isDeliveryReport else { return nil }
    var messageIDs: [String] = []
    var recipients: [Recipient] = []
    var statusCount = 0
    for part in report.parts() {
      switch part.type.name {
      case "message/delivery-status", "message/global-delivery-status":
        statusCount += 1
        let status = DeliveryStatusFields(part.decoded)
        recipients += status.recipients
        messageIDs += status.originalMessageIDs
      case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
        // What the report returns is better evidence than what others say about it.
        messageIDs = (ReceivedPart(part.decoded[...])?.messageIDs(of: "message-id") ?? []) + messageIDs
      default: break
      }
    }
    guard statusCount == 1, !recipients.isEmpty else { return nil }
    messageIDs += report.messageIDs(of: "in-reply-to")
    var seen: Set<String> = []
    self.messageIDs = messageIDs.filter { seen.insert($0).inserted }
    self.recipients = recipients
    guard !messageIDs.isEmpty else { return nil }
  }

  /// Returns the Message-IDs in the value of a field, with `<` and `>`; at most eight.
  package static func messageIDs(in value: [UInt8]) -> [String] {
    var ids: [String] = []
    var rest = value[...]
    while ids.count < 8, let start = rest.firstIndex(of: UInt8(ascii: "<")) {
      rest = rest[start...]
      guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { break }
      // A fold inside belongs to the field, not to the id.
      let id = rest[...end].filter { $0 != 0x0D && $0 != 0x0A && $0 != 0x20 && $0 != 0x09 }
      rest = rest[rest.index(after: end)...]
      guard (4...998).contains(id.count), id.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { continue }
      ids.append(String(decoding: id, as: UTF8.self))
    }
    return ids
  }
}

/// A mail or a part of one, with its header.
struct ReceivedPart {
  private static let partLimit = 20

  private let header: MailHeader
  private let body: ArraySlice<UInt8>
  /// The media type.
  let type: ContentType

  /// Parses the header; returns `nil` if that isn't possible.
  init?(_ bytes: ArraySlice<UInt8>) {
    var start = 0
    let header = try? bytes.withUnsafeBufferPointer { bytes in
      try MailHeader(of: bytes, syntax: .tolerant, bodyStart: &start)
    }
    guard let header else { return nil }
    self.header = header
    body = bytes.dropFirst(start)
    type = ContentType(header)
  }

  /// Whether the whole mail is a report about a delivery. What a list distributes isn't, whatever it says.
  var isDeliveryReport: Bool {
    guard type.name == "multipart/report",
      ["delivery-status", "global-delivery-status"].contains(type["report-type"]?.lowercased()),
      !header.contains("list-id", "list-post", "list-unsubscribe", "resent-from")
    else { return false }
    return !header.values(of: "auto-submitted").contains {
      String(decoding: $0, as: UTF8.self).trimmed.lowercased() == "no"
    }
  }

  /// Returns the Message-IDs in the first field with this name.
  func messageIDs(of name: String) -> [String] {
    header.values(of: name).first.map(ReceivedBounce.messageIDs) ?? []
  }

  /// The body without its transfer encoding.
  var decoded: [UInt8] { TransferEncoding.decoded(body, ContentType.encoding(header)) }

  /// Returns the parts between the delimiters of a multipart, not those within them; at most 20.
  func parts() -> [ReceivedPart] {
    guard let boundary = type.boundary, (1...200).contains(boundary.count) else { return [] }
    let delimiter = Array("--".utf8) + boundary
    var ranges: [Range<Int>] = []
    body.withUnsafeBufferPointer { bytes in
      var lines = LineScanner(bytes)
      var start: Int?
      // The line end before a delimiter belongs to the delimiter (RFC 2046, 5.1.1).
      var end = 0
      while ranges.count < ReceivedPart.partLimit, let line = lines.next() {
        let content = bytes[line.content]
        if content.starts(with: delimiter) {
          let rest = content.dropFirst(delimiter.count)
          let isClosing = rest.starts(with: "--".utf8)
          // A longer boundary is that of a multipart within this one.
          if (isClosing ? rest.dropFirst(2) : rest).allSatisfy({ $0 == 0x20 || $0 == 0x09 }) {
            if let start { ranges.append(start..<max(end, start)) }
            start = isClosing ? nil : line.next
            if isClosing { break }
          }
        }
        end = line.content.upperBound
      }
      // Cut off, or not closed.
      if let start, ranges.count < ReceivedPart.partLimit { ranges.append(start..<bytes.count) }
    }
    return ranges.compactMap { range in
      ReceivedPart(body.dropFirst(range.lowerBound).prefix(range.count))
    }
  }
}
