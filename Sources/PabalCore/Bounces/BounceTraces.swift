/// What a bounce is matched by: digests of a mail's ids and of its recipients, which are kept longer than its content.
public struct OutboxTrace: Sendable, Hashable {
  /// The digests of its Message-ID and of the id that the next hop gave it.
  public var keys: [[UInt8]]
  /// The digests of its recipients in envelope order, one after the other.
  public var recipients: [UInt8]

  /// A trace.
  public init(keys: [[UInt8]], recipients: [UInt8]) {
    self.keys = keys
    self.recipients = recipients
  }

  /// The size of a recipient's digest in bytes.
  package static let digestSize = 16
  /// How long a trace is kept: servers give up after five days, and their bounce may be delayed itself.
  package static let lifetime = Duration.seconds(14 * 86_400)
}

/// What a store keeps for bounces. Each call is one transaction.
public protocol BounceStore: Sendable {
  /// Returns the mails with a trace under any of `keys`, each with the digests of its recipients, the newest first.
  func traces(_ keys: [[UInt8]]) async throws(StorageError) -> [(mail: String, recipients: [UInt8])]
  /// Marks recipients of a mail. Returns how many marks are new; none if the mail has been deleted.
  func mark(_ mail: String, _ marks: [RecipientMark]) async throws(StorageError) -> Int
  /// Returns what was last read of a mailbox, sealed; `nil` if nothing was.
  func cursor(_ mailbox: [[UInt8]]) async throws(StorageError) -> [UInt8]?
  /// Stores what was last read of a mailbox.
  func setCursor(_ cursor: [UInt8], _ mailbox: [UInt8]) async throws(StorageError)
}

/// Matches bounces to the mails that they are about.
public struct BounceTraces: Sendable {
  private let store: any BounceStore
  private let keys: Keyring

  /// The traces in `store`, made with `keys`.
  public init(_ store: any BounceStore, keys: Keyring) {
    self.store = store
    self.keys = keys
  }

  /// Returns the trace of a mail that was sent. `remoteID` is the id that the next hop gave it.
  package static func trace(_ mail: Mail, remoteID: String?, keys: Keyring) -> OutboxTrace? {
    let ids = identities(
      messageIDs: mail.messageID.isEmpty ? [] : [mail.messageID], remoteIDs: remoteID.map { [$0] } ?? [])
    guard !ids.isEmpty else { return nil }
    return OutboxTrace(
      keys: ids.map(keys.addressDigest),
      recipients: mail.envelope.recipients.flatMap { address in
        keys.addressDigest(identity(of: address)).prefix(OutboxTrace.digestSize)
      })
  }

  /// What a bounce changed.
  package struct Recorded: Sendable, Hashable {
    /// The id of the mail that came back.
    package var mail: String
    /// The number of recipients that are newly marked as bounced or delayed.
    package var marked = 0
    /// The number of those that were added to the suppression list.
    package var suppressed = 0
    /// The status code of the first recipient.
    package var status: String?
  }

  /// Marks the recipients that `bounce` is about, and suppresses the addresses that don't work.
  ///
  /// Only recipients of a mail that Pabal sent are concerned, because anyone can write a bounce. `remoteIDs` are the ids of
  /// the mail at the next hop; if there are none, it is looked up by Message-ID. Returns `nil` if it isn't known.
  package func record(
    _ bounce: ReceivedBounce, remoteIDs: [String] = [], in list: SuppressionList, at now: Timestamp
  ) async throws(StorageError) -> Recorded? {
    let ids =
      remoteIDs.isEmpty
      ? BounceTraces.identities(messageIDs: bounce.messageIDs, remoteIDs: [])
      : BounceTraces.identities(messageIDs: [], remoteIDs: remoteIDs)
    // A program may send the same mail twice, and the bounce doesn't say which one came back: one that isn't marked yet.
    var known: Recorded?
    for (mail, digests) in try await store.traces(ids.flatMap(keys.addressDigests)) {
      var recorded = Recorded(mail: mail)
      var marks: [RecipientMark] = []
      var failed: [Suppression] = []
      for recipient in bounce.recipients {
        guard let (position, address) = match(recipient, in: digests),
          !marks.contains(where: { $0.position == position })
        else { continue }
        marks.append(
          RecipientMark(
            position: position, kind: recipient.isFailed ? .bounced : .delayed, status: recipient.status,
            sealed: keys.seal(Array(address.description.utf8), id: mail), at: now))
        recorded.status = recorded.status ?? recipient.status
        if recipient.isAddressAtFault {
          failed.append(
            Suppression(address, reason: .bounce, status: recipient.status, mail: mail, added: now))
        }
      }
      guard !marks.isEmpty else { continue }
      recorded.marked = try await store.mark(mail, marks)
      for suppression in failed where try await list.add(suppression) { recorded.suppressed += 1 }
      if recorded.marked > 0 { return recorded }
      known = known ?? recorded
    }
    return known
  }

  /// Returns what was last read of the mailbox `name`.
  package func cursor(_ name: String) async throws(StorageError) -> [UInt8]? {
    guard let sealed = try await store.cursor(keys.addressDigests("mailbox\0\(name)")) else { return nil }
    return try? keys.open(sealed, id: "mailbox")
  }

  /// Stores what was last read of the mailbox `name`.
  package func setCursor(_ cursor: [UInt8], _ name: String) async throws(StorageError) {
    try await store.setCursor(keys.seal(cursor, id: "mailbox"), keys.addressDigest("mailbox\0\(name)"))
  }

  /// Returns the recipient's place among those with these digests, and the address by which it is one of them.
  private func match(
    _ recipient: ReceivedBounce.Recipient, in digests: [UInt8]
  ) -> (position: Int, address: Address)? {
    let size = OutboxTrace.digestSize
    for address in recipient.addresses {
      for digest in keys.addressDigests(BounceTraces.identity(of: address)) {
        for position in 0..<(digests.count / size)
        where digests[(position * size)..<((position + 1) * size)].elementsEqual(digest.prefix(size)) {
          return (position, address)
        }
      }
    }
    return nil
  }

  // NUL can't occur in an id or an address; it separates these uses of the digests from each other.
  private static func identities(messageIDs: [String], remoteIDs: [String]) -> [String] {
    messageIDs.map { "message\0\($0)" } + remoteIDs.map { "remote\0\($0)" }
  }

  private static func identity(of address: Address) -> String {
    "recipient\0\(SuppressionList.normalized(address))"
  }
}
