/// What one pass over the lines of a foreign body finds.
struct BodySurvey {
  /// The number of lines that don't end with CRLF.
  private(set) var bareLineBreaks = 0
  /// Whether a part may have the encoding `binary`, so that its bytes aren't lines.
  private(set) var mayBeBinary: Bool

  init(_ header: MailHeader, _ bytes: [UInt8], from start: Int) {
    mayBeBinary = header.values(of: "content-transfer-encoding").contains { BodySurvey.mayBeBinary($0[...]) }
    bytes.withUnsafeBufferPointer { bytes in
      var scanner = LineScanner(bytes, from: start)
      while let line = scanner.next() {
        if line.end != .crlf { bareLineBreaks += 1 }
        // The length alone rules out nearly all lines.
        guard !mayBeBinary, (BodySurvey.name.count...80).contains(line.content.count),
          bytes[line.content.lowerBound] | 0x20 == UInt8(ascii: "c")
        else { continue }
        let content = bytes[line.content]
        guard
          content.prefix(BodySurvey.name.count).elementsEqual(BodySurvey.name, by: { $0 | 0x20 == $1 | 0x20 })
        else { continue }
        mayBeBinary = BodySurvey.mayBeBinary(Array(content.dropFirst(BodySurvey.name.count))[...])
      }
    }
  }

  private static let name = Array("content-transfer-encoding".utf8)

  /// Whether the rest of a Content-Transfer-Encoding field names none of the other encodings (RFC 2045, 6.1).
  private static func mayBeBinary(_ value: ArraySlice<UInt8>) -> Bool {
    let text = String(decoding: value, as: UTF8.self).lowercased()
    return !["7bit", "8bit", "base64", "quoted-printable"].contains { text.contains($0) }
  }
}

extension [UInt8] {
  /// Appends a part of `bytes` with CRLF at the end of each line, the last one included. A CR alone ends a line, unless
  /// `keepsLoneCR` is true.
  mutating func append(
    normalizing bytes: UnsafeBufferPointer<UInt8>, in range: Range<Int>, keepsLoneCR: Bool = false
  ) {
    var pending = range.lowerBound
    var scanner = LineScanner(
      UnsafeBufferPointer(rebasing: bytes[..<range.upperBound]), from: range.lowerBound)
    while let line = scanner.next() {
      if line.end == .crlf || line.end == .cr && keepsLoneCR { continue }
      append(contentsOf: UnsafeBufferPointer(rebasing: bytes[pending..<line.content.upperBound]))
      append(0x0D)
      append(0x0A)
      pending = line.next
    }
    append(contentsOf: UnsafeBufferPointer(rebasing: bytes[pending..<range.upperBound]))
  }

  /// Whether a byte at or after `start` is above 127.
  func has8Bit(from start: Int) -> Bool {
    withUnsafeBytes { bytes in
      var i = start
      while i + 8 <= bytes.count {
        if bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 {
          return true
        }
        i += 8
      }
      while i < bytes.count {
        if bytes[i] >= 0x80 { return true }
        i += 1
      }
      return false
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether the range has a NUL, or a CR that no LF follows.
  func hasLoneCROrNUL(in range: Range<Int>) -> Bool {
    let bytes = UnsafeBufferPointer(rebasing: self[..<range.upperBound])
    guard LineScanner.find(0, in: bytes, from: range.lowerBound) == bytes.count else { return true }
    var next = LineScanner.find(0x0D, in: bytes, from: range.lowerBound)
    while next < bytes.count {
      guard next + 1 < bytes.count, bytes[next + 1] == 0x0A else { return true }
      next = LineScanner.find(0x0D, in: bytes, from: next + 2)
    }
    return false
  }
}
