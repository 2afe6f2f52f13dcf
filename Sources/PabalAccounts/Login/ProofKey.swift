internal import Crypto

/// The proof that whoever brings the code is who asked for it (RFC 7636), and the state that ties the
/// browser's answer to this login.
struct PKCE: Sendable {
  /// 43 characters.
  let verifier: String
  /// The verifier's SHA-256, as the browser's URL has it.
  let challenge: String
  let state: String

  init(_ dependencies: AccountDependencies) {
    verifier = base64URL(dependencies.random(32))
    challenge = base64URL(Array(SHA256.hash(data: Array(verifier.utf8))))
    state = base64URL(dependencies.random(24))
  }
}

/// Base64 for URLs, without padding (RFC 4648 section 5).
func base64URL(_ octets: [UInt8]) -> String {
  let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
  var text: [UInt8] = []
  for start in stride(from: 0, to: octets.count, by: 3) {
    let group = octets[start..<min(start + 3, octets.count)]
    let bits = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[start + $1]) : 0) }
    for place in 0...group.count { text.append(digits[bits >> (18 - 6 * place) & 63]) }
  }
  return String(decoding: text, as: UTF8.self)
}

/// Whether two texts are the same, in a time that depends on their lengths alone.
func isSame(_ a: String, _ b: String) -> Bool {
  let (a, b) = (Array(a.utf8), Array(b.utf8))
  guard a.count == b.count else { return false }
  return zip(a, b).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
}
