internal import Crypto
internal import PabalCore
internal import PabalFormats

/// A client certificate that TLS has verified, or whose fingerprint is listed.
struct ClientCertificate {
  /// The certificate (DER).
  let bytes: [UInt8]

  /// The SHA-256 fingerprint.
  var fingerprint: [UInt8] { Array(SHA256.hash(data: bytes)) }

  /// The name for the log and the outbox: of the list, or else the common name of its subject, or else its fingerprint.
  func name(in listed: [(name: String, fingerprint: [UInt8])]) -> String {
    let fingerprint = fingerprint
    if let known = listed.first(where: { $0.fingerprint == fingerprint }) { return known.name }
    let common = DERReader.commonName(ofCertificate: bytes).map { String(printable($0).prefix(64)) }
    if let common, !common.isEmpty { return common }
    let start = Array(fingerprint[..<8])
    return "sha256:" + Hexadecimal.string(start.span)
  }
}

/// A reader of DER (X.690), as far as a certificate's subject needs it.
private struct DERReader {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// Returns the next element, or `nil` at the end and if the encoding is invalid.
  mutating func next() -> (tag: UInt8, content: ArraySlice<UInt8>)? {
    guard let tag = rest.popFirst(), let first = rest.popFirst() else { return nil }
    var length = Int(first)
    if first >= 0x80 {
      let count = Int(first & 0x7F)
      guard 1...3 ~= count, rest.count >= count else { return nil }
      length = 0
      for _ in 0..<count { length = length << 8 | Int(rest.removeFirst()) }
    }
    guard rest.count >= length else { return nil }
    defer { rest = rest.dropFirst(length) }
    return (tag, rest.prefix(length))
  }

  private mutating func next(_ tag: UInt8) -> DERReader? {
    guard let element = next(), element.tag == tag else { return nil }
    return DERReader(element.content)
  }

  /// Returns the last common name of the subject (RFC 5280, 4.1).
  static func commonName(ofCertificate bytes: [UInt8]) -> String? {
    var outer = DERReader(bytes[...])
    guard var certificate = outer.next(0x30), var body = certificate.next(0x30) else { return nil }
    // version (optional), serialNumber, signature, issuer, validity, subject
    guard let first = body.next() else { return nil }
    for _ in 0..<(first.tag == 0xA0 ? 4 : 3) { guard body.next() != nil else { return nil } }
    guard var subject = body.next(0x30) else { return nil }
    var name: String?
    while var set = subject.next(0x31) {
      while var attribute = set.next(0x30) {
        guard let type = attribute.next(), let value = attribute.next() else { break }
        // id-at-commonName, 2.5.4.3, as PrintableString, UTF8String, TeletexString or IA5String
        guard type.tag == 0x06, Array(type.content) == [0x55, 0x04, 0x03],
          [0x13, 0x0C, 0x14, 0x16].contains(value.tag)
        else { continue }
        name = String(validating: value.content, as: UTF8.self)
      }
    }
    return name
  }
}
