internal import PabalFormats

/// An element of `serve.submission.networks`: a network whose clients may send without logging in.
struct SubmissionNetwork: Sendable {
  let network: IPNetwork
  /// The network as it is written.
  let text: String
  let rules: SenderRules

  /// Reads a network, or an object with `network` and rules.
  static func read(_ value: FieldDecoder) -> SubmissionNetwork? {
    guard case .object = value.node.content else {
      return network(value).map {
        SubmissionNetwork(network: $0, text: value.text() ?? "", rules: SenderRules())
      }
    }
    return value.object { object in
      let field = object.required(
        "network", remedy: "add the clients, for example \"network\": \"192.0.2.0/24\"")
      let network = field.flatMap(network)
      let rules = SenderRules.read(object, key: "network:\(network?.description ?? "")")
      return network.map {
        SubmissionNetwork(
          network: $0, text: field?.text() ?? "", rules: rules.counted(as: "network \($0.bytes)/\($0.bits)"))
      }
    }
  }

  private static func network(_ value: FieldDecoder) -> IPNetwork? {
    guard let network = IPNetwork.read(value, example: "\"192.0.2.7\" or \"192.0.2.0/24\"") else {
      return nil
    }
    // The largest private networks are 10.0.0.0/8 (RFC 1918), fc00::/7 (RFC 4193) and fe80::/10 (RFC 4291).
    let smallest =
      switch (network.bytes.count, network.bytes[0], network.bytes[1]) {
      case (4, _, _): 8
      case (_, 0xFC...0xFD, _): 7
      case (_, 0xFE, 0x80...0xBF): 10
      default: 32
      }
    guard network.bits >= smallest else {
      value.report(
        "a network this large would make this an open relay",
        remedy: "list only your own clients, like \"192.0.2.0/24\"; others can log in as users")
      return nil
    }
    return network
  }
}

/// A member of `serve.submission.certificates`: the holder of a client certificate.
struct SubmissionCertificate: Sendable {
  let name: String
  /// The SHA-256 fingerprint; `nil` for a certificate that `client_ca` issued for this name.
  let fingerprint: [UInt8]?
  let rules: SenderRules

  /// The name and the fingerprint, if there is one.
  var listed: (name: String, fingerprint: [UInt8])? { fingerprint.map { (name, $0) } }

  /// Reads a fingerprint, or an object with `fingerprint` and rules.
  static func read(_ name: String, _ value: FieldDecoder, hasAuthority: Bool) -> SubmissionCertificate? {
    guard case .object = value.node.content else {
      return fingerprint(value).map {
        SubmissionCertificate(name: name, fingerprint: $0, rules: SenderRules())
      }
    }
    return value.object { object in
      let rules = SenderRules.read(object, key: "certificate:\(name)")
      if let field = object.optional("fingerprint") {
        return fingerprint(field).map { SubmissionCertificate(name: name, fingerprint: $0, rules: rules) }
      }
      if !hasAuthority {
        object.reportMissing(
          "fingerprint", remedy: "add the fingerprint of the certificate, or \"client_ca\", which issued it")
      }
      return SubmissionCertificate(name: name, fingerprint: nil, rules: rules)
    }
  }

  private static func fingerprint(_ value: FieldDecoder) -> [UInt8]? {
    guard let text = value.text() else { return nil }
    // openssl x509 -fingerprint prints pairs of digits with colons.
    let digits = text.hasPrefix("sha256:") ? Array(text.dropFirst(7).utf8.filter { $0 != 0x3A }) : []
    guard digits.count == 64, let bytes = Hexadecimal.bytes(digits.span) else {
      value.report(
        "not the fingerprint of a certificate",
        remedy:
          "write sha256: and the 64 digits that openssl x509 -in FILE -noout -fingerprint -sha256 prints")
      return nil
    }
    return bytes
  }
}
