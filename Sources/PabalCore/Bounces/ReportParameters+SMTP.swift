// The parameters as commands of SMTP have them (RFC 3461, 4 and 5).
extension ReportParameters {
  /// The parameters of MAIL, each behind a space.
  package var mailText: String {
    var text = ""
    switch returned {
    case .full: text += " RET=FULL"
    case .headers: text += " RET=HDRS"
    case nil: break
    }
    if let envelopeID { text += " ENVID=\(XText.encode(envelopeID))" }
    return text
  }

  /// Returns the parameters of RCPT for a recipient, each behind a space.
  package func recipientText(_ recipient: Address) -> String {
    guard let parameters = recipients[recipient] else { return "" }
    var text = ""
    if let events = parameters.events { text += " NOTIFY=\(events.text)" }
    if let original = parameters.original, let separator = original.firstIndex(of: ";") {
      let address = original[original.index(after: separator)...]
      text += " ORCPT=\(original[..<separator]);\(XText.encode(String(address)))"
    }
    return text
  }

  /// Returns what the value of RET means; `nil` if it isn't valid.
  package static func returned(_ value: String) -> Returned? {
    switch value.uppercased() {
    case "FULL": .full
    case "HDRS": .headers
    default: nil
    }
  }

  /// Returns the decoded value of ENVID; `nil` if it isn't valid: at most 100 characters that encode printable ASCII.
  package static func envelopeID(_ value: String) -> String? {
    guard 1...100 ~= value.utf8.count, let id = XText.decode(value[...]),
      id.utf8.allSatisfy({ 0x20...0x7E ~= $0 })
    else { return nil }
    return id
  }

  /// Returns the decoded value of ORCPT, a type and an address; `nil` if it isn't valid.
  package static func original(_ value: String) -> String? {
    guard 1...500 ~= value.utf8.count, let separator = value.firstIndex(of: ";") else { return nil }
    let type = value[..<separator].lowercased()
    let isAtom =
      !type.isEmpty
      && type.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x61...0x7A, UInt8(ascii: "-"): true
        default: false
        }
      }
    guard isAtom, var address = XText.decode(value[value.index(after: separator)...]), !address.isEmpty else {
      return nil
    }
    if type == "utf-8" {
      guard let decoded = withoutEscapes(address) else { return nil }
      address = decoded
    }
    let isASCII = address.utf8.allSatisfy { $0 < 0x80 }
    guard isASCII || type == "utf-8",
      address.unicodeScalars.allSatisfy({
        $0.value >= 0x20 && !(0x7F...0x9F ~= $0.value) && $0.value != 0x2028 && $0.value != 0x2029
      })
    else { return nil }
    return "\(type);\(address)"
  }

  /// Replaces the escapes `\x{AC00}` of RFC 6533, 3; returns `nil` if one isn't valid.
  private static func withoutEscapes(_ text: String) -> String? {
    var decoded = ""
    var rest = text[...]
    while let start = rest.range(of: "\\x{") {
      decoded += rest[..<start.lowerBound]
      guard let end = rest[start.upperBound...].firstIndex(of: "}") else { return nil }
      let digits = rest[start.upperBound..<end]
      guard 2...6 ~= digits.utf8.count, let value = UInt32(digits, radix: 16),
        let scalar = Unicode.Scalar(value)
      else { return nil }
      decoded.unicodeScalars.append(scalar)
      rest = rest[rest.index(after: end)...]
    }
    return decoded + rest
  }
}

extension ReportParameters.Events {
  /// The events that the value of NOTIFY names; `nil` if it isn't valid.
  package init?(_ value: String) {
    self = []
    guard value.uppercased() != "NEVER" else { return }
    for word in value.uppercased().split(separator: ",", omittingEmptySubsequences: false) {
      switch word {
      case "SUCCESS": insert(.success)
      case "FAILURE": insert(.failure)
      case "DELAY": insert(.delay)
      default: return nil
      }
    }
  }

  /// The value of NOTIFY.
  package var text: String {
    let names: [(ReportParameters.Events, String)] = [
      (.success, "SUCCESS"), (.failure, "FAILURE"), (.delay, "DELAY"),
    ]
    return isEmpty ? "NEVER" : names.filter { contains($0.0) }.map(\.1).joined(separator: ",")
  }
}

extension Substring {
  /// Returns where `text` first occurs.
  fileprivate func range(of text: String) -> Range<Index>? {
    var start = startIndex
    while start < endIndex {
      if self[start...].hasPrefix(text) {
        return start..<index(start, offsetBy: text.count)
      }
      start = index(after: start)
    }
    return nil
  }
}
