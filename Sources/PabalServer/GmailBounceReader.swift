import PabalAccounts
import PabalCommand
import PabalCore

/// Reads what is new in a Google account's mailbox by Gmail's API.
struct GmailBounceReader: Sendable {
  private let recorder: BounceRecorder

  /// The most mails of one round; the next one goes on.
  private static let limit = 2_000
  /// The most mails that a search returns. Of more than that since the last complete round, the oldest aren't read.
  private static let searchLimit = 20_000
  /// How far back the first round looks.
  private static let firstPeriod = Duration.seconds(86_400)
  /// How long a mail may take to be found by a search.
  private static let overlap = Duration.seconds(3_600)

  init(_ recorder: BounceRecorder) { self.recorder = recorder }

  /// Reads a mailbox, the oldest mail first.
  func read(
    _ account: AccountConfiguration, _ settings: BounceIntakeConfiguration, _ context: CommandContext
  ) async throws(BounceReadingError) {
    let now = Timestamp.now()
    let (mailbox, user) = try await recorder.blocking {
      () throws(BounceReadingError) -> (GmailMailbox, String) in
      do throws(Diagnostic) {
        let source = try context.account(account.name)
        do throws(MailboxError) {
          let mailbox = try GmailMailbox(
            source, endpoint: settings.endpoint, authorities: settings.authorities)
          return (mailbox, source.user)
        } catch {
          throw Diagnostic(error.description)
        }
      } catch {
        throw BounceReadingError(problem: error.description)
      }
    }
    let name = "\(account.name)\0\(user)"
    var cursor =
      try await recorder.cursor(name).flatMap(MailboxCursor.init)
      ?? MailboxCursor(after: now - Self.firstPeriod)
    let query = GmailMailbox.bounceQuery(after: cursor.after)
    let found = try await recorder.mails { () throws(MailboxError) in
      try mailbox.ids(matching: query, limit: Self.searchLimit)
    }
    let (unread, isComplete) = cursor.unread(of: found, limit: Self.limit)
    var unsaved = 0
    for id in unread {
      guard !Task.isCancelled else { return }
      let bytes = try await recorder.mails { () throws(MailboxError) in
        try mailbox.mail(id, limit: ReceivedBounce.sizeLimit)
      }
      if let bounce = bytes.flatMap(ReceivedBounce.init) {
        try await recorder.record(bounce, at: now) { () throws(BounceReadingError) in
          try await remoteIDs(bounce, in: mailbox)
        }
      }
      cursor.ids.insert(id)
      unsaved += 1
      if unsaved % 20 == 0 { try await recorder.save(cursor.bytes, name) }
    }
    if isComplete {
      cursor = MailboxCursor(after: max(cursor.after, now - Self.overlap), ids: Set(found))
    }
    try await recorder.save(cursor.bytes, name)
  }

  // Gmail replaces the Message-ID of mail that its API sends; then the mail is looked up there by the new one, because its
  // id in the mailbox is known.
  private func remoteIDs(
    _ bounce: ReceivedBounce, in mailbox: GmailMailbox
  ) async throws(BounceReadingError) -> [String] {
    var ids: [String] = []
    for query in bounce.messageIDs.prefix(2).compactMap(GmailMailbox.messageQuery) {
      ids += try await recorder.mails { () throws(MailboxError) in
        try mailbox.ids(matching: query, limit: 10)
      }
    }
    return ids
  }
}

extension GmailMailbox {
  /// Returns the search for mail that may be a bounce. Gmail can't search for a media type.
  static func bounceQuery(after moment: Timestamp) -> String {
    "after:\(moment.milliseconds / 1_000) {from:mailer-daemon from:postmaster from:microsoftexchange "
      + "subject:undeliverable subject:undelivered subject:returned subject:\"delivery status notification\" subject:failure}"
  }

  /// Returns the search for the mail with a Message-ID; `nil` if the id can't be part of a search.
  static func messageQuery(_ messageID: String) -> String? {
    let id = messageID.dropFirst().dropLast()
    // Anyone writes bounces, and other characters are operators of Gmail's search.
    let isPlain = id.unicodeScalars.allSatisfy {
      $0.isASCII
        && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "@._-+=$~/".unicodeScalars.contains($0))
    }
    guard !id.isEmpty, isPlain else { return nil }
    return "rfc822msgid:\(id)"
  }
}
