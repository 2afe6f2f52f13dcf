/// Encodes any bytes as quoted-printable (RFC 2045, 6.7). For text, see `BodyPart`.
enum QuotedPrintable {
  /// Appends `bytes` in lines of at most 76 bytes. CRLF and LF are line ends.
  static func append(_ bytes: ArraySlice<UInt8>, to target: inout [UInt8]) {
    var length = 0
    func isLineEnd(_ index: Int) -> Bool {
      guard index < bytes.endIndex else { return true }
      return bytes[index] == 0x0A
        || bytes[index] == 0x0D && index + 1 < bytes.endIndex && bytes[index + 1] == 0x0A
    }
    var index = bytes.startIndex
    while index < bytes.endIndex {
      if isLineEnd(index) {
        target.append(contentsOf: [0x0D, 0x0A])
        index += bytes[index] == 0x0D ? 2 : 1
        length = 0
        continue
      }
      let byte = bytes[index]
      let isBlank = byte == 0x20 || byte == 0x09
      let isLast = isLineEnd(index + 1)
      // A dot or `From ` at the start of a line has a meaning in SMTP or mailbox files, and `--` in MIME.
      let isLiteral =
        isBlank ? !isLast : 0x21...0x7E ~= byte && byte != 0x3D && (length > 0 || !".F-".utf8.contains(byte))
      let size = isLiteral ? 1 : 3
      if length + size + (isLast ? 0 : 1) > 76 {
        target.append(contentsOf: [0x3D, 0x0D, 0x0A])
        length = 0
        continue
      }
      if isLiteral {
        target.append(byte)
      } else {
        target.append(contentsOf: [0x3D, hexadecimal(byte >> 4), hexadecimal(byte & 15)])
      }
      length += size
      index += 1
    }
  }
}
