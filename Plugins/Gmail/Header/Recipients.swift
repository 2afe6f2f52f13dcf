/// An envelope's recipients, and which of them the header has named.
struct EnvelopeRecipients {
  private var addresses: [HeaderAddress] = []
  private var isNamed: [Bool] = []
  /// Where each is; only for more than a look along the list is cheaper for.
  private var indexByAddress: [HeaderAddress: Int] = [:]
  private static let linearSearchLimit = 16

  /// Reads the addresses of an envelope; throws at one that can't stand in a header.
  init(_ recipients: [String]) throws(UnsuitedMailError) {
    addresses.reserveCapacity(recipients.count)
    for recipient in recipients {
      guard let address = HeaderAddress(recipient) else {
        throw UnsuitedMailError("the recipient \(recipient) can't be written in a header, as Gmail wants it")
      }
      addresses.append(address)
    }
    isNamed = Array(repeating: false, count: addresses.count)
    guard addresses.count > Self.linearSearchLimit else { return }
    for (index, address) in addresses.enumerated() where indexByAddress[address] == nil { indexByAddress[address] = index }
  }

  /// Notes that the header names `address`; `false`: the envelope doesn't.
  mutating func markNamed(_ address: HeaderAddress) -> Bool {
    guard let index = index(of: address) else { return false }
    isNamed[index] = true
    return true
  }

  /// The places of those whom nobody has named, of addresses that are alike the first.
  var unnamed: [Int] { addresses.indices.filter { !isNamed[$0] && index(of: addresses[$0]) == $0 } }

  private func index(of address: HeaderAddress) -> Int? {
    addresses.count > Self.linearSearchLimit ? indexByAddress[address] : addresses.firstIndex(of: address)
  }
}
