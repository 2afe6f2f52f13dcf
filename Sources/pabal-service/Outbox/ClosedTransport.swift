import PabalCommand
import PabalCore
import PabalStorage

/// A transport that no mail leaves by for now, as all processes on the store know it; times are UTC.
struct UnavailableTransport: Encodable, Sendable {
  let name: String
  /// `held`: its account or the set-up is at fault; `unavailableTransports`: it failed too often in a row.
  let status: String
  /// Null where only failures closed it.
  let heldSince: OrNull<String>
  let closedUntil: String
  let failures: Int
  /// The far side's reply; null where there was none, or the key it is sealed with is gone.
  let cause: OrNull<String>

  enum CodingKeys: String, CodingKey {
    case name = "name"
    case status = "status"
    case failures = "failures"
    case cause = "cause"
    case heldSince = "held_since"
    case closedUntil = "closed_until"
  }

  /// `nil` for one that may be tried at `now`.
  init?(_ name: String, _ known: TransportState, keys: Keyring, at now: Timestamp) {
    guard let until = known.closedUntil, until > now || known.heldSince != nil else { return nil }
    self.name = name
    status = known.heldSince == nil ? "closed" : "held"
    heldSince = OrNull(known.heldSince?.text)
    closedUntil = until.text
    failures = known.failures
    let octets = known.cause.flatMap { try? keys.open($0, id: TransportState.sealID(name)) }
    cause = OrNull(octets.map { printable(String(decoding: $0, as: UTF8.self)) })
  }

  /// One line for a person.
  var line: String {
    let since = heldSince.value.map { " since \($0)" } ?? " after \(failures) failures"
    let reason = cause.value.map { ": \($0)" } ?? ""
    return "transport \(name) is \(status)\(since), tried again at \(closedUntil)\(reason)"
  }
}

extension OpenStorage {
  /// The transports of these that no mail leaves by now.
  func unavailableTransports(_ transports: [String: TransportState]) -> [UnavailableTransport] {
    let now = Timestamp.now()
    return transports.sorted { $0.key < $1.key }.compactMap {
      UnavailableTransport($0.key, $0.value, keys: keys, at: now)
    }
  }
}
