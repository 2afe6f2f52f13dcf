/// What a DKIM-Signature field covers (RFC 6376, 3.5).
struct DKIMSignature {
  /// The name of the field in lower case.
  static let fieldName = "dkim-signature"

  /// The signing domain, `d=`; empty if there is none.
  let domain: String
  /// The fields that it covers, `h=`, in lower case, each with how many of that name.
  let covered: [String: Int]

  /// Reads the value of a field. Of an invalid one, what can be read counts.
  init(_ value: ArraySlice<UInt8>) {
    var domain = ""
    var covered: [String: Int] = [:]
    for tag in value.split(separator: UInt8(ascii: ";")) {
      guard let equals = tag.firstIndex(of: UInt8(ascii: "=")) else { continue }
      // White space, folded or not, may be anywhere around names, `=` and `:` (3.2).
      switch DKIMSignature.text(tag[..<equals]) {
      case "d": domain = DKIMSignature.text(tag[(equals + 1)...])
      case "h":
        for name in tag[(equals + 1)...].split(separator: UInt8(ascii: ":")) {
          covered[DKIMSignature.text(name), default: 0] += 1
        }
      default: break
      }
    }
    self.domain = domain
    self.covered = covered
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(decoding: bytes.filter { ![0x20, 0x09, 0x0D, 0x0A].contains($0) }, as: UTF8.self).lowercased()
  }
}

/// A DKIM signature that was removed from a mail because it wouldn't be valid any more.
package struct RemovedSignature: Sendable, Hashable {
  /// The signing domain; empty if it couldn't be read.
  package let domain: String
  /// What it covers and has changed: names of fields in lower case, or `body`.
  package let changed: [String]
}
