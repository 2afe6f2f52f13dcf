/// An envelope's recipients, and which of them the header has named.
struct Recipients {
  private var addresses: [HeaderAddress] = []
  private var isNamed: [Bool] = []
  /// Where each is; only for more than a look along the list is cheaper for.
  private var places: [HeaderAddress: Int] = [:]
  private static let few = 16

  /// Reads the addresses of an envelope; throws at one that can't stand in a header.
  init(_ recipients: [String]) throws(Obstacle) {
    addresses.reserveCapacity(recipients.count)
    for recipient in recipients {
      guard let address = HeaderAddress(recipient) else {
        throw Obstacle("the recipient \(recipient) can't be written in a header, as Gmail wants it")
      }
      addresses.append(address)
    }
    isNamed = Array(repeating: false, count: addresses.count)
    guard addresses.count > Self.few else { return }
    for (index, address) in addresses.enumerated() where places[address] == nil { places[address] = index }
  }

  /// Notes that the header names `address`; `false`: the envelope doesn't.
  mutating func name(_ address: HeaderAddress) -> Bool {
    guard let index = place(of: address) else { return false }
    isNamed[index] = true
    return true
  }

  /// The places of those whom nobody has named, of addresses that are alike the first.
  var unnamed: [Int] { addresses.indices.filter { !isNamed[$0] && place(of: addresses[$0]) == $0 } }

  private func place(of address: HeaderAddress) -> Int? {
    addresses.count > Self.few ? places[address] : addresses.firstIndex(of: address)
  }
}
