/// A mail as the engine needs it: plain values, the octets lent for one attempt.
struct GmailMessage {
  let sender: String
  let recipients: [String]
  let octets: UnsafeRawBufferPointer
  var needsSMTPUTF8 = false

  /// What goes to the API, or why nothing may.
  ///
  /// Gmail reads the recipients from To, Cc and Bcc. Whom these name outside the envelope would get the mail, and
  /// a recipient they don't name would not: the latter are added as Bcc, which Gmail takes out again.
  func upload() throws(UnsuitedMailError) -> UploadBody {
    guard recipients.count <= GmailAPI.maxRecipients else {
      throw UnsuitedMailError("the mail has \(recipients.count) recipients, Gmail takes \(GmailAPI.maxRecipients)")
    }
    var named = try EnvelopeRecipients(recipients)
    let header = try read(&named)
    let added = named.unnamed.map { recipients[$0] }
    let upload = UploadBody(octets, header: header, adding: added)
    guard upload.count <= GmailAPI.maxUploadSize else {
      throw UnsuitedMailError("the mail has \(upload.count) octets, Gmail's API takes \(GmailAPI.maxUploadSize)")
    }
    return upload
  }

  /// Reads the header; notes whom it names.
  private func read(_ named: inout EnvelopeRecipients) throws(UnsuitedMailError) -> UploadBody.Header {
    var seen: [AddressField] = []
    var header = UploadBody.Header()
    var scanner = HeaderScanner(octets)
    while let field = try scanner.next() {
      if scanner.isResent(field) {
        throw UnsuitedMailError("the mail has Resent- fields, and whom Gmail's API would send it to isn't certain")
      }
      guard let kind = scanner.kind(of: field) else { continue }
      guard kind != .from else {
        header.fromDiffersFromSender = header.fromDiffersFromSender || !isSender(octets[field.value])
        continue
      }
      // RFC 5322, 3.6: at most one of each. Which of two Gmail would read, nobody knows.
      guard !seen.contains(kind) else {
        throw UnsuitedMailError("the mail has two \(kind.rawValue) fields, and Gmail may read only one of them")
      }
      seen.append(kind)
      if kind == .bcc { header.bcc = field }
      var addressScanner = AddressScanner(UnsafeRawBufferPointer(rebasing: octets[field.value]))
      do throws(AddressScanner.SyntaxError) {
        try addressScanner.readList()
      } catch {
        throw UnsuitedMailError(
          "\(kind.rawValue) can't be read in one way only, and Gmail's API would mail whom it reads there")
      }
      for address in addressScanner.found {
        guard named.markNamed(address) else {
          let shown = String(decoding: address.octets, as: UTF8.self)
          throw UnsuitedMailError(
            "\(kind.rawValue) names \(shown), who is not to get this mail now, and Gmail's API would send it there"
          )
        }
      }
    }
    header.end = scanner.position
    return header
  }

  /// Whether the envelope's sender is among the authors; the API has no place for another one.
  private func isSender(_ value: Slice<UnsafeRawBufferPointer>) -> Bool {
    guard let sender = HeaderAddress(sender) else { return false }
    var addressScanner = AddressScanner(UnsafeRawBufferPointer(rebasing: value))
    do throws(AddressScanner.SyntaxError) {
      try addressScanner.readList()
    } catch {
      return false
    }
    return addressScanner.found.contains(sender)
  }
}
