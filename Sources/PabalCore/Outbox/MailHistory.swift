/// What became of mail: finds mail in the outbox by recipient, submitter and state, also after its content is erased.
package struct MailHistory: Sendable {
  /// Which mail is looked for.
  package struct Query: Sendable, Hashable {
    /// The largest number of mails in one page.
    package static let limits = 1...1_000

    /// A recipient, in any spelling of its address; `nil`: any.
    package var recipient: Address?
    /// The name of a submitter, such as `user:printer` or `client:shop`; `nil`: any.
    package var submitter: String?
    /// The states; `nil`: any.
    package var states: Set<OutboxState>?
    /// Only mail that was added before the one with this id.
    package var before: String?
    /// The largest number of mails.
    package var limit = 20

    /// Any mail, the newest 20.
    package init() {}
  }

  /// What became of a recipient, apart from what a server answered.
  package struct Event: Sendable, Hashable {
    /// Its number in the envelope, from 1.
    package let recipient: Int
    /// Its address, masked; `nil` if the key that sealed it no longer exists.
    package let to: String?
    /// What became of it.
    package let kind: RecipientMark.Kind
    /// The status code of the report (RFC 3463).
    package let code: String?
    /// When it was recorded.
    package let at: Timestamp
  }

  /// A mail that was found.
  package struct Record: Sendable, Hashable {
    /// Its status.
    package let status: MailStatus
    /// When it was added to the outbox.
    package let created: Timestamp
    /// When it entered a final state.
    package let ended: Timestamp?
    /// Who submitted it, such as `user:printer`; `nil` for other mail.
    package let submitter: String?
    /// What became of its recipients.
    package let events: [Event]
  }

  private let outbox: any Outbox
  private let keys: Keyring

  /// The history of the mail in `outbox`, whose addresses are sealed by `keys`.
  package init(_ outbox: any Outbox, keys: Keyring) {
    self.outbox = outbox
    self.keys = keys
  }

  /// Returns the newest mails that match, and whether there are more; of one caller, unless `caller` is `nil`.
  package func find(
    _ query: Query, of caller: Caller?
  ) async throws(StorageError) -> (records: [Record], hasMore: Bool) {
    var stored = query.submitter.map(Caller.storedName)
    if let caller {
      // Another's mail isn't there, whatever is asked for.
      guard stored == nil || stored == caller.storedName else { return ([], false) }
      stored = caller.storedName
    }
    var read = OutboxQuery(states: query.states, before: query.before, limit: query.limit + 1)
    read.withMarks = true
    read.caller = stored
    read.recipients = query.recipient.map { RecipientDigest.searched(for: $0, keys) }
    let entries = try await outbox.read(read).entries
    return (entries.prefix(query.limit).map(record), entries.count > query.limit)
  }

  /// Returns what became of the recipients of the mail `id`.
  package func events(of id: String) async throws(StorageError) -> [Event] {
    var query = OutboxQuery(ids: [id])
    query.withMarks = true
    return try await outbox.read(query).entries.first.map(events) ?? []
  }

  private func record(_ entry: OutboxEntry) -> Record {
    Record(
      status: MailStatus(entry), created: entry.created, ended: entry.ended,
      submitter: Caller.name(ofStoredName: entry.caller).map { printable($0) }, events: events(entry))
  }

  private func events(_ entry: OutboxEntry) -> [Event] {
    entry.marks.map { mark in
      let bytes = try? keys.open(mark.sealed, id: entry.id)
      let address = bytes.flatMap { try? Address(String(decoding: $0, as: UTF8.self)) }
      return Event(
        recipient: mark.position + 1, to: address?.masked, kind: mark.kind, code: mark.status, at: mark.at)
    }
  }
}
