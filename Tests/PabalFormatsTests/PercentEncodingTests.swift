import Foundation
import PabalFormats
import PabalTesting
import Testing

@Suite struct PercentEncodingTests {
  @Test(arguments: [
    ("a&b=c#d/e?f 가\"'<", "a%26b%3Dc%23d%2Fe%3Ff%20%EA%B0%80%22%27%3C"), ("", ""), ("a-._~Z9", "a-._~Z9"),
    ("%", "%25"), ("+ ", "%2B%20"), ("\0\u{7F}", "%00%7F"), ("😀", "%F0%9F%98%80"), ("a b", "a%20b"),
  ])
  func `only unreserved characters stay in a value`(text: String, encoded: String) throws {
    #expect(PercentEncoding.encode(text, allowing: .unreserved) == encoded)
    #expect(try PercentEncoding.decode(encoded.utf8Span.span) == Array(text.utf8))
    #expect(PercentEncoding.decodeForm(encoded) == text)
  }

  @Test(arguments: [
    ("https://example.com/가?a=1&b=%20'\"", "https://example.com/%EA%B0%80?a=1&b=%20%27%22"),
    ("mailto:help@example.com", "mailto:help@example.com"),
    ("https://[::1]:80/~a;b,c!$(*)", "https://[::1]:80/~a;b,c!$(*)"),
    ("a b<c>\\^`{|}", "a%20b%3Cc%3E%5C%5E%60%7B%7C%7D"), ("+=#", "+=#"), ("\r\n", "%0D%0A"),
  ])
  func `a whole address keeps its shape`(text: String, encoded: String) {
    #expect(PercentEncoding.encode(text, allowing: .uri) == encoded)
    #expect(PercentEncoding.encode(encoded, allowing: .uri) == encoded)
  }

  @Test func `the sets hold exactly the characters of RFC 3986`() {
    let unreserved = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
    let uri = unreserved.union(":/?#[]@!$&()*+,;=%".utf8)
    for byte in UInt8.min...UInt8.max {
      #expect(PercentEncoding.AllowedCharacters.unreserved.contains(byte) == unreserved.contains(byte))
      #expect(PercentEncoding.AllowedCharacters.uri.contains(byte) == uri.contains(byte))
    }
  }

  @Test(arguments: [
    ("a+b", "a b"), ("%2B", "+"), ("%", "%"), ("%4", "%4"), ("%4g", "%4g"), ("%+5", "% 5"), ("%-0", "%-0"),
    ("%%41", "%A"), ("%e9", "\u{FFFD}"), ("50%", "50%"), ("%c3%A9", "é"), ("%EA%B0", "\u{FFFD}"),
    ("a%20b%", "a b%"), ("%25%32%35", "%25"),
  ])
  func `what isn't well encoded in a form stays as it is`(text: String, decoded: String) {
    #expect(PercentEncoding.decodeForm(text) == decoded)
  }

  @Test(
    arguments: [("%", 0), ("a%4", 1), ("%41%zz", 3), ("%+5", 0), ("%-0", 0), ("ab%%41", 2)] as [(String, Int)]
  )
  func `a strict reader says where`(text: String, offset: Int) {
    let error = #expect(throws: PercentEncodingError.self) { try PercentEncoding.decode(text.utf8Span.span) }
    #expect(error?.offset == offset)
  }

  @Test func `a plus is a plus outside forms`() throws {
    #expect(try PercentEncoding.decode("a+b%2B".utf8Span.span) == Array("a+b+".utf8))
    #expect(try PercentEncoding.decode("a+b%2B".utf8Span.span, plusIsSpace: true) == Array("a b+".utf8))
  }

  @Test func `forms are encoded and decoded as Python does`() throws {
    let value = "4/0A b+c&d=é한%"
    let encoded = PercentEncoding.encode(value, allowing: .unreserved)
    let read = try ChildProcess.run(
      "python3",
      ["-c", "import sys, urllib.parse; print(urllib.parse.parse_qsl(sys.argv[1]))", "a=" + encoded])
    #expect(read.output == "[('a', '\(value)')]\n")
    let written = try ChildProcess.run(
      "python3", ["-c", "import urllib.parse; print(urllib.parse.urlencode([('a', '\(value)')]))"])
    #expect(PercentEncoding.decodeForm(String(written.output.dropFirst(2).dropLast())) == value)
  }

  @Test func `every byte comes back`() throws {
    let bytes = Array(UInt8.min...UInt8.max)
    for allowed in [PercentEncoding.AllowedCharacters.unreserved] {
      var encoded: [UInt8] = []
      PercentEncoding.append(bytes.span, allowing: allowed, to: &encoded)
      #expect(encoded.allSatisfy { allowed.contains($0) || $0 == UInt8(ascii: "%") })
      #expect(try PercentEncoding.decode(encoded.span) == bytes)
    }
  }
}

@Suite struct HexadecimalTests {
  @Test func `digits are read without sign and written in lower case`() {
    for byte in UInt8.min...UInt8.max {
      let character = Character(Unicode.Scalar(byte))
      let expected = character.isASCII ? character.hexDigitValue.map(UInt8.init) : nil
      #expect(Hexadecimal.value(ofDigit: byte) == expected)
    }
    let bytes: [UInt8] = [0, 1, 0x0F, 0x10, 0xAB, 0xFF]
    #expect(Hexadecimal.string(bytes.span) == "00010f10abff")
    #expect(Hexadecimal.bytes("00010f10ABff".utf8Span.span) == bytes)
    for wrong in ["0", "0g", "+1", "0x", " 1", "１1"] {
      #expect(Hexadecimal.bytes(wrong.utf8Span.span) == nil)
    }
    #expect(Hexadecimal.bytes("".utf8Span.span) == [])
  }
}
