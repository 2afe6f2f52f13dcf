import PabalCore

/// Reads arbitrary bytes as a received mail. A bounce names a mail and a recipient, and its limits hold.
@c(LLVMFuzzerTestOneInput)
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard let bounce = ReceivedBounce(bytes) else { return 0 }
  precondition(!bounce.messageIDs.isEmpty && !bounce.recipients.isEmpty, "a bounce of nothing")
  precondition(Set(bounce.messageIDs).count == bounce.messageIDs.count, "a Message-ID twice")
  for id in bounce.messageIDs {
    precondition(id.hasPrefix("<") && id.hasSuffix(">") && id.utf8.count <= 3_000, "not a Message-ID")
    precondition(!id.utf8.contains { $0 <= 0x20 }, "a Message-ID with a line break")
  }
  for recipient in bounce.recipients {
    precondition((1...2).contains(recipient.addresses.count))
    for address in recipient.addresses {
      precondition((try? Address(address.description)) == address, "a recipient reads back as another")
    }
    if recipient.isAddressAtFault { precondition(recipient.isFailed && recipient.status != nil) }
  }
  precondition(ReceivedBounce(bytes) == bounce, "a bounce reads back as another")
  return 0
}
