internal import Synchronization

/// Ids for the copies of one mail: its stamp's own, counted on, so that none costs a call to the kernel.
package final class MailIDSequence: Sendable {
  private let first: UInt64
  private let prefix: String
  private let issuedCount = Atomic<UInt64>(0)

  /// Ids that begin as the stamp's does and differ in their last ten characters.
  package init(_ identity: MailIdentity) {
    prefix = String(identity.id.prefix(16))
    first = identity.id.suffix(10).utf8.reduce(0) { $0 << 5 | MailIdentity.value(ofDigit: $1) }
  }

  /// The next id; 2^50 of them come before the first one again.
  package func next() -> String {
    let number = first &+ issuedCount.wrappingAdd(1, ordering: .relaxed).oldValue
    return MailIdentity.id(prefix, number)
  }
}
