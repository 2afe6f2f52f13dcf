internal import PabalFormats

/// The content of a `delivery-status` part: groups of fields, the first about the mail, the others about its recipients.
struct DeliveryStatusFields {
  /// The recipients with the action `failed` or `delayed`.
  private(set) var recipients: [ReceivedBounce.Recipient] = []
  /// The Message-IDs that Gmail repeats in the group about the mail.
  private(set) var originalMessageIDs: [String] = []

  private static let recipientLimit = 1_000
  private static let lineLimit = 20_000

  /// Reads the fields; what isn't one is skipped.
  init(_ bytes: [UInt8]) {
    var group: [String: [UInt8]] = [:]
    var last: String?
    bytes.withUnsafeBufferPointer { bytes in
      var lines = LineScanner(bytes)
      var count = 0
      while let line = lines.next(), count < DeliveryStatusFields.lineLimit {
        count += 1
        let content = bytes[line.content]
        guard let first = content.first else {
          add(group)
          group = [:]
          last = nil
          continue
        }
        if first == 0x20 || first == 0x09 {
          if let last, group[last, default: []].count < 4_096 { group[last]?.append(contentsOf: content) }
          continue
        }
        guard let colon = content.firstIndex(of: UInt8(ascii: ":")) else { continue }
        let name = String(decoding: content[..<colon], as: UTF8.self).trimmed.lowercased()
        last = name
        // The first one counts.
        if group[name] == nil {
          group[name] = Array(content[(colon + 1)...].prefix(4_096))
        } else {
          last = nil
        }
      }
    }
    add(group)
  }

  private mutating func add(_ group: [String: [UInt8]]) {
    guard let action = group["action"] else {
      if originalMessageIDs.isEmpty, let value = group["x-original-message-id"] {
        originalMessageIDs = ReceivedBounce.messageIDs(in: value)
      }
      return
    }
    let isFailed: Bool
    switch DeliveryStatusFields.word(action).lowercased() {
    case "failed": isFailed = true
    case "delayed": isFailed = false
    // delivered, relayed and expanded.
    default: return
    }
    let addresses = ["original-recipient", "final-recipient"].compactMap { name in
      group[name].flatMap(DeliveryStatusFields.address)
    }
    guard !addresses.isEmpty, recipients.count < DeliveryStatusFields.recipientLimit else { return }
    var distinct = addresses
    if addresses.count == 2, addresses[0] == addresses[1] { distinct.removeLast() }
    recipients.append(
      ReceivedBounce.Recipient(
        addresses: distinct, isFailed: isFailed, status: DeliveryStatusFields.status(of: group)))
  }

  /// Returns the status code of a recipient: that of the field, or of the server's reply.
  private static func status(of group: [String: [UInt8]]) -> String? {
    let reply = group["diagnostic-code"].flatMap(statusOfReply)
    guard let status = group["status"].flatMap(status) else { return reply }
    // Exim writes 5.0.0 for every refusal (RFC 3463, 3.1: an undefined status); the reply says which one it was.
    guard let reply, status.dropFirst() == ".0.0", reply.first == status.first else { return status }
    return reply
  }

  /// The first word of a value, without a comment behind it.
  private static func word(_ value: [UInt8]) -> String {
    let text = String(decoding: value, as: UTF8.self).trimmed
    return String(text.prefix { !$0.isWhitespace && $0 != "(" && $0 != ";" })
  }

  /// Returns a status code of three numbers (RFC 3463, 2).
  private static func status(_ value: [UInt8]) -> String? {
    let word = word(value)
    let parts = word.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, ["2", "4", "5"].contains(parts[0]),
      parts.allSatisfy({
        (1...3).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x30...0x39).contains($0) }
      })
    else { return nil }
    return word
  }

  /// Returns the status code of an SMTP reply such as `smtp; 550 5.1.1 …`, or a general one of its class.
  private static func statusOfReply(_ value: [UInt8]) -> String? {
    let text = String(decoding: value, as: UTF8.self)
    guard let semicolon = text.firstIndex(of: ";"),
      String(text[..<semicolon]).trimmed.lowercased() == "smtp"
    else { return nil }
    let reply = String(text[text.index(after: semicolon)...]).trimmed
    guard let digits = replyStatus(reply)?.split(separator: " ") else { return nil }
    if digits.count == 2 { return String(digits[1]) }
    switch digits[0].first {
    case "4": return "4.0.0"
    case "5": return "5.0.0"
    default: return nil
    }
  }

  /// Returns the address of a value such as `rfc822; kim@example.org`.
  private static func address(_ value: [UInt8]) -> Address? {
    var text = String(decoding: value, as: UTF8.self).trimmed
    guard text.utf8.count <= 1_500 else { return nil }
    var isUTF8 = false
    if let semicolon = text.firstIndex(of: ";"), !text[..<semicolon].contains("@") {
      let kind = String(text[..<semicolon]).trimmed.lowercased()
      guard kind == "rfc822" || kind == "utf-8" else { return nil }
      isUTF8 = kind == "utf-8"
      text = String(text[text.index(after: semicolon)...]).trimmed
    }
    if text.hasPrefix("<"), text.hasSuffix(">") { text = String(text.dropFirst().dropLast()) }
    if isUTF8 { text = unescaped(text) }
    return try? Address(text)
  }

  /// Replaces `\x{AC00}` by its character (RFC 6533, 3).
  private static func unescaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var rest = text.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "\\", rest.starts(with: "x{".unicodeScalars), let end = rest.firstIndex(of: "}"),
        let value = UInt32(String(rest[rest.index(rest.startIndex, offsetBy: 2)..<end]), radix: 16),
        let decoded = Unicode.Scalar(value)
      else {
        result.append(scalar)
        continue
      }
      result.append(decoded)
      rest = rest[rest.index(after: end)...]
    }
    return String(result)
  }
}
