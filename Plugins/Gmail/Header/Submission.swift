/// A mail as the engine needs it: plain values, the octets lent for one attempt.
struct Submission {
  let sender: String
  let recipients: [String]
  let octets: UnsafeRawBufferPointer
  var needsSMTPUTF8 = false

  /// What goes to the API, or why nothing may.
  ///
  /// Gmail reads the recipients from To, Cc and Bcc. Whom these name outside the envelope would get the mail, and
  /// a recipient they don't name would not: the latter are added as Bcc, which Gmail takes out again.
  func upload() throws(Obstacle) -> Upload {
    guard recipients.count <= Service.mostRecipients else {
      throw Obstacle("the mail has \(recipients.count) recipients, Gmail takes \(Service.mostRecipients)")
    }
    var named = try Recipients(recipients)
    let header = try read(&named)
    let added = named.unnamed.map { recipients[$0] }
    let upload = Upload(octets, header: header, adding: added)
    guard upload.count <= Service.largest else {
      throw Obstacle("the mail has \(upload.count) octets, Gmail's API takes \(Service.largest)")
    }
    return upload
  }

  /// Reads the header; notes whom it names.
  private func read(_ named: inout Recipients) throws(Obstacle) -> Upload.Header {
    var seen: [AddressField] = []
    var header = Upload.Header()
    var scanner = HeaderScanner(octets)
    while let field = try scanner.next() {
      if scanner.isResent(field) {
        throw Obstacle("the mail has Resent- fields, and whom Gmail's API would send it to isn't certain")
      }
      guard let kind = scanner.kind(of: field) else { continue }
      guard kind != .from else {
        header.hasOtherSender = header.hasOtherSender || !isSender(octets[field.value])
        continue
      }
      // RFC 5322, 3.6: at most one of each. Which of two Gmail would read, nobody knows.
      guard !seen.contains(kind) else {
        throw Obstacle("the mail has two \(kind.rawValue) fields, and Gmail may read only one of them")
      }
      seen.append(kind)
      if kind == .bcc { header.bcc = field }
      var addresses = AddressScanner(UnsafeRawBufferPointer(rebasing: octets[field.value]))
      do throws(AddressScanner.Unreadable) {
        try addresses.readList()
      } catch {
        throw Obstacle(
          "\(kind.rawValue) can't be read in one way only, and Gmail's API would mail whom it reads there")
      }
      for address in addresses.found {
        guard named.name(address) else {
          let shown = String(decoding: address.octets, as: UTF8.self)
          throw Obstacle(
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
    var addresses = AddressScanner(UnsafeRawBufferPointer(rebasing: value))
    do throws(AddressScanner.Unreadable) {
      try addresses.readList()
    } catch {
      return false
    }
    return addresses.found.contains(sender)
  }
}
