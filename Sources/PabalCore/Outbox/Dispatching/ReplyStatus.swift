/// The digits that a reply begins with, `550 5.1.1` or `429`: what may be kept and shown of it.
///
/// The rest may hold addresses and stays sealed.
func replyStatus(_ reply: String?) -> String? {
  guard let reply else { return nil }
  let octets = Array(reply.utf8.prefix(16))
  func isDigit(_ index: Int) -> Bool { octets.indices.contains(index) && 0x30...0x39 ~= octets[index] }
  // What a transport says in a reply's place may begin with an IP address, a number of seconds or of octets.
  guard isDigit(0), isDigit(1), isDigit(2), 0x32...0x35 ~= octets[0] else { return nil }
  guard octets.count == 3 || " -\r\n".utf8.contains(octets[3]) else { return nil }
  let code = String(decoding: octets[..<3], as: UTF8.self)
  // RFC 3463: a class, a subject and a detail of up to three digits.
  guard octets.count > 8 else { return code }
  let parts = octets[4...].prefix { 0x30...0x39 ~= $0 || $0 == UInt8(ascii: ".") }
    .split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
  guard parts.count == 3, parts[0].count == 1, parts.allSatisfy({ 1...3 ~= $0.count }) else { return code }
  return "\(code) \(parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "."))"
}
