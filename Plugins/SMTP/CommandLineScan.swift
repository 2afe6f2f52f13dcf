internal import Glibc

/// Finds lines of a mail that a server could run as commands if it left the mail's chunk unread.
///
/// Some servers refuse BDAT without reading its chunk, although RFC 3030 requires it, and then take each of its lines
/// for a command: a mail with the lines RCPT and DATA would send another mail in the logged-in session.
enum CommandLineScan {
  /// Whether a line begins with a command, in any case and perhaps after blanks. Lines end at LF, as servers read them.
  ///
  /// It takes about 0.07 ns for each byte, because it looks only at the beginnings of lines.
  static func findsCommand(in bytes: UnsafeRawBufferPointer) -> Bool {
    guard let start = bytes.baseAddress else { return false }
    let end = start + bytes.count
    var line = start
    while line < end {
      if isCommand(at: line, end: end) { return true }
      guard let lineEnd = memchr(line, 10, end - line) else { return false }
      line = UnsafeRawPointer(lineEnd) + 1
    }
    return false
  }

  private static func isCommand(at start: UnsafeRawPointer, end: UnsafeRawPointer) -> Bool {
    var place = start
    // Sendmail and Postfix skip blanks before a command.
    while place < end, isBlank(place.load(as: UInt8.self)) { place += 1 }
    guard end - place >= 4 else { return false }
    // In lower case; the few other bytes that look the same only cost a second flight.
    let word = UInt32(bigEndian: place.loadUnaligned(as: UInt32.self)) | 0x2020_2020
    let rest = place + 4
    switch word {
    // MAIL, RCPT, DATA, BDAT, BURL, RSET, AUTH, EHLO, HELO, LHLO, ETRN, ATRN, VRFY, EXPN
    case 0x6D61_696C, 0x7263_7074, 0x6461_7461, 0x6264_6174, 0x6275_726C,
      0x7273_6574, 0x6175_7468, 0x6568_6C6F, 0x6865_6C6F, 0x6C68_6C6F,
      0x6574_726E, 0x6174_726E, 0x7672_6679, 0x6578_706E:
      return isWordEnd(rest, end)
    // STARTTLS, XCLIENT, XFORWARD
    case 0x7374_6172: return follows("ttls", rest, end) && isWordEnd(rest + 4, end)
    case 0x7863_6C69: return follows("ent", rest, end) && isWordEnd(rest + 3, end)
    case 0x7866_6F72: return follows("ward", rest, end) && isWordEnd(rest + 4, end)
    // NOOP, QUIT, TURN, HELP, which take no parameter and also begin sentences
    case 0x6E6F_6F70, 0x7175_6974, 0x7475_726E, 0x6865_6C70: return isLineEnd(rest, end)
    // SEND, SOML, SAML: RFC 821's variants of MAIL
    case 0x7365_6E64, 0x736F_6D6C, 0x7361_6D6C:
      guard isWordEnd(rest, end) else { return false }
      var parameter = rest
      while parameter < end, isBlank(parameter.load(as: UInt8.self)) { parameter += 1 }
      return follows("from", parameter, end)
    default: return false
    }
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }

  /// Whether the word before `place` ends there: "Authentication-Results" and "Mailing-List" aren't commands.
  private static func isWordEnd(_ place: UnsafeRawPointer, _ end: UnsafeRawPointer) -> Bool {
    guard place < end else { return true }
    switch place.load(as: UInt8.self) {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"):
      return false
    default: return true
    }
  }

  private static func isLineEnd(_ start: UnsafeRawPointer, _ end: UnsafeRawPointer) -> Bool {
    var place = start
    while place < end, isBlank(place.load(as: UInt8.self)) { place += 1 }
    guard place < end else { return true }
    let byte = place.load(as: UInt8.self)
    return byte == 10 || byte == 13
  }

  private static func follows(_ letters: StaticString, _ place: UnsafeRawPointer, _ end: UnsafeRawPointer)
    -> Bool
  {
    let count = letters.utf8CodeUnitCount
    guard end - place >= count else { return false }
    return (0..<count).allSatisfy {
      (place + $0).load(as: UInt8.self) | 0x20 == letters.utf8Start[$0]
    }
  }
}
