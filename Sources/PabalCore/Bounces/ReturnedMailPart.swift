internal import PabalFormats

/// The part of a report with the header of the mail, or the mail itself.
struct ReturnedMailPart {
  private let bytes: ArraySlice<UInt8>
  private let type: String
  private let encoding: Encoding

  private enum Encoding {
    case plain
    case eightBit
    case quotedPrintable
  }

  /// The part with the header of `mail`, or, if it `isWhole` and not too large, with all of it.
  init(_ mail: [UInt8], isWhole: Bool, allows8Bit: Bool) {
    if isWhole, mail.count <= DeliveryReportOptions.returnedLimit,
      let whole = ReturnedMailPart(whole: mail, allows8Bit: allows8Bit)
    {
      self = whole
    } else {
      self.init(headerOf: mail, allows8Bit: allows8Bit)
    }
  }

  private init(_ bytes: ArraySlice<UInt8>, type: String, _ encoding: Encoding) {
    self.bytes = bytes
    self.type = type
    self.encoding = encoding
  }

  /// Returns `nil` if the mail can't be sent as a part.
  private init?(whole mail: [UInt8], allows8Bit: Bool) {
    let header = mail[..<ReturnedMailPart.headerEnd(of: mail)]
    let isASCII = header.allSatisfy { $0 < 0x80 }
    let isUTF8 = isASCII || String(validating: header, as: UTF8.self) != nil
    let encoding = ReturnedMailPart.encoding(of: mail[...], allows8Bit: allows8Bit)
    if encoding != .quotedPrintable {
      self.init(mail[...], type: isASCII || !isUTF8 ? "message/rfc822" : "message/global", encoding)
    } else if isASCII, let encoded = (try? SubmittedMail(mail, lineEnds: .any))?.encodedAsSevenBit(),
      ReturnedMailPart.encoding(of: encoded[...], allows8Bit: false) == .plain
    {
      // A part of this type can't be encoded itself (RFC 2046, 5.2.1), only what is in it.
      self.init(encoded[...], type: "message/rfc822", .plain)
    } else if isUTF8 {
      // This one can (RFC 6532, 3.7).
      self.init(mail[...], type: "message/global", .quotedPrintable)
    } else {
      return nil
    }
  }

  private init(headerOf mail: [UInt8], allows8Bit: Bool) {
    var header = mail[..<ReturnedMailPart.headerEnd(of: mail)]
    if header.count > DeliveryReportOptions.returnedLimit {
      // Cut behind a line.
      header = header.prefix(DeliveryReportOptions.returnedLimit)
      header = header.prefix((header.lastIndex(of: 0x0A) ?? header.startIndex - 1) + 1)
    }
    let encoding = ReturnedMailPart.encoding(of: header, allows8Bit: allows8Bit)
    let isUTF8 =
      header.contains { $0 >= 0x80 } && String(validating: header, as: UTF8.self) != nil
    switch encoding {
    case .eightBit where isUTF8: self.init(header, type: "message/global-headers", encoding)
    // RFC 6522, 4 allows this encoding. Programs don't decode `message/global-headers`.
    case .quotedPrintable where isUTF8:
      self.init(header, type: "text/rfc822-headers; charset=utf-8", encoding)
    case .plain, .eightBit, .quotedPrintable: self.init(header, type: "text/rfc822-headers", encoding)
    }
  }

  /// The number of bytes before they are encoded.
  var size: Int { bytes.count }

  /// Whether it has bytes above 127.
  var has8Bit: Bool { encoding == .eightBit }

  /// Returns where the line end of the last header field ends.
  private static func headerEnd(of mail: [UInt8]) -> Int {
    mail.withUnsafeBufferPointer { mail in
      var lines = LineScanner(mail)
      while let line = lines.next() {
        if line.content.isEmpty { return line.content.lowerBound }
      }
      return mail.count
    }
  }

  /// Returns how `bytes` can be sent: as they are if they are lines of at most 998 bytes (RFC 5322, 2.1.1).
  private static func encoding(of bytes: ArraySlice<UInt8>, allows8Bit: Bool) -> Encoding {
    var has8Bit = false
    var length = 0
    var previous: UInt8 = 0
    for byte in bytes {
      if byte == 0 || (previous == 0x0D) != (byte == 0x0A) { return .quotedPrintable }
      has8Bit = has8Bit || byte >= 0x80
      length = byte == 0x0A ? 0 : length + 1
      // With its CR.
      if length > 999 || length == 999 && byte != 0x0D { return .quotedPrintable }
      previous = byte
    }
    if previous == 0x0D { return .quotedPrintable }
    return has8Bit ? (allows8Bit ? .eightBit : .quotedPrintable) : .plain
  }

  /// Appends the part: its header fields, an empty line and the content.
  func append(to target: inout [UInt8]) {
    target.append(text: "Content-Type: \(type)\r\n")
    switch encoding {
    case .plain: target.append(ascii: "\r\n")
    case .eightBit: target.append(ascii: "Content-Transfer-Encoding: 8bit\r\n\r\n")
    case .quotedPrintable:
      target.append(ascii: "Content-Transfer-Encoding: quoted-printable\r\n\r\n")
      return QuotedPrintable.append(bytes, to: &target)
    }
    target.append(contentsOf: bytes)
  }
}
