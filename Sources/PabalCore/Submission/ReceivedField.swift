/// The Received field that a submitted mail gets (RFC 5321, 4.4). It names no user.
package struct ReceivedField: Sendable, Hashable {
  /// The name with which the client greeted; `nil` for a process that submits without a dialogue.
  package var greeting: String?
  /// The client's IP address; `nil` for a process on this machine.
  package var address: String?
  /// The name of this service.
  package var host: String
  /// The protocol, such as ESMTPSA (RFC 3848), or `local`.
  package var transmission: String

  /// A Received field of `host`.
  package init(greeting: String? = nil, address: String? = nil, host: String, transmission: String = "local")
  {
    self.greeting = greeting
    self.address = address
    self.host = host
    self.transmission = transmission
  }

  /// After how many Received fields a mail is regarded as being in a loop (RFC 5321, 6.3).
  package static let limit = 100

  /// Appends the field for the mail with this id and date.
  func append(to target: inout [UInt8], id: String, date: String) {
    target.append(ascii: "Received:")
    if greeting != nil || address != nil {
      target.append(ascii: " from ")
      ReceivedField.append(greeting ?? "", to: &target)
      if let address {
        target.append(ascii: " ([")
        if address.utf8.contains(UInt8(ascii: ":")) { target.append(ascii: "IPv6:") }
        ReceivedField.append(address, to: &target)
        target.append(ascii: "])")
      }
      target.append(ascii: "\r\n\t")
    } else {
      target.append(ascii: " ")
    }
    target.append(ascii: "by ")
    ReceivedField.append(host, to: &target)
    target.append(ascii: " with ")
    ReceivedField.append(transmission, to: &target)
    target.append(ascii: " id ")
    target.append(text: id)
    target.append(ascii: ";\r\n\t")
    target.append(text: date)
    target.append(ascii: "\r\n")
  }

  /// Appends what a client said as one word. Other characters than those of host names and addresses become question
  /// marks, so that they can't be read as another part of the field.
  private static func append(_ word: String, to target: inout [UInt8]) {
    guard !word.isEmpty else { return target.append(ascii: "unknown") }
    for byte in word.utf8.prefix(255) {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"):
        target.append(byte)
      default: target.append(UInt8(ascii: "?"))
      }
    }
  }
}
