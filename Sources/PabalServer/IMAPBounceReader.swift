package import PabalAccounts
package import PabalCommand
package import PabalCore

/// Reads what is new in an entry of `mailboxes`, by IMAP.
struct IMAPBounceReader: Sendable {
  private let recorder: BounceRecorder

  /// How far back the first round looks.
  private static let firstPeriod = Duration.seconds(86_400)
  /// The most mails of one round; the next one goes on.
  private static let limit = 2_000

  init(_ recorder: BounceRecorder) { self.recorder = recorder }

  /// What a round found: bounces in order, and why the server refused a mail.
  private struct Found: Sendable {
    var cursor: IMAPCursor
    var bounces: [ReceivedBounce]
    var refusal: String?
  }

  /// Reads a mailbox, the oldest mail first.
  func read(
    _ mailbox: MailboxConfiguration, _ context: CommandContext
  ) async throws(BounceReadingError) {
    let now = Timestamp.now()
    let name = "imap\0\(mailbox.name)\0\(mailbox.host)\0\(mailbox.folder)"
    let cursor = try await recorder.cursor(name).flatMap(IMAPCursor.init)
    let found = try await recorder.blocking { () throws(BounceReadingError) in
      let credentials = try credentials(of: mailbox, context)
      do throws(MailboxError) {
        return try search(mailbox, credentials, after: cursor, now)
      } catch {
        throw BounceReadingError(problem: error.description, retryAfter: error.retryAfter)
      }
    }
    for bounce in found.bounces {
      guard !Task.isCancelled else { return }
      try await recorder.record(bounce, at: now)
    }
    if let problem = found.refusal { recorder.reportRefusal(mailbox.name, problem) }
    // Last: a bounce that is recorded twice changes nothing, one that is skipped is lost.
    if found.cursor != cursor { try await recorder.save(found.cursor.bytes, name) }
  }

  private func search(
    _ configuration: MailboxConfiguration, _ credentials: IMAPMailbox.Credentials, after cursor: IMAPCursor?,
    _ now: Timestamp
  ) throws(MailboxError) -> Found {
    let mailbox = try IMAPMailbox(configuration, credentials, literalLimit: ReceivedBounce.sizeLimit)
    let folder = try mailbox.examine(configuration.folder)
    var uids: [UInt32]
    var lastUID: UInt32
    if let cursor, cursor.uidValidity == folder.uidValidity {
      uids = try mailbox.uids(after: cursor.lastUID)
      lastUID = cursor.lastUID
    } else {
      // The first round, or all mail has new uids. What is older isn't read later either.
      uids = try mailbox.uids(since: now - Self.firstPeriod)
      let newest = folder.nextUID > 0 ? folder.nextUID - 1 : try mailbox.uids(after: 0).last ?? 0
      lastUID = uids.first.map { $0 - 1 } ?? newest
    }
    uids = Array(uids.prefix(Self.limit))
    lastUID = max(lastUID, uids.last ?? 0)
    let reports = try mailbox.filter(uids) { $0.lowercased().contains("multipart/report") }
    let (bounces, refusal) = try mailbox.mails(
      reports, limit: ReceivedBounce.sizeLimit, ReceivedBounce.init)
    return Found(
      cursor: IMAPCursor(uidValidity: folder.uidValidity, lastUID: lastUID), bounces: bounces,
      refusal: refusal?.description)
  }

  private func credentials(
    of mailbox: MailboxConfiguration, _ context: CommandContext
  ) throws(BounceReadingError) -> IMAPMailbox.Credentials {
    do throws(Diagnostic) {
      return try mailbox.credentials(context)
    } catch {
      throw BounceReadingError(problem: error.description)
    }
  }
}

extension MailboxConfiguration {
  /// Returns what logs in to it. Fetches secrets, and may block.
  package func credentials(_ context: CommandContext) throws(Diagnostic) -> IMAPMailbox.Credentials {
    switch login {
    case .account(let name):
      // Microsoft has a token for each service.
      let source = try context.account(name).source(for: MailboxConfiguration.scopes) { _ in false }
      return .tokens(source)
    case .password(let user, let password):
      return .password(user: try user.fetch(), password: try password.fetch())
    }
  }
}

/// What has been read of a folder: everything up to a uid.
struct IMAPCursor: Sendable, Hashable {
  var uidValidity: UInt32
  var lastUID: UInt32

  init(uidValidity: UInt32, lastUID: UInt32) {
    self.uidValidity = uidValidity
    self.lastUID = lastUID
  }

  /// Reads stored bytes: the two numbers.
  init?(_ bytes: [UInt8]) {
    let numbers = String(decoding: bytes, as: UTF8.self).split(separator: " ").compactMap { UInt32($0) }
    guard numbers.count == 2 else { return nil }
    self.init(uidValidity: numbers[0], lastUID: numbers[1])
  }

  var bytes: [UInt8] { Array("\(uidValidity) \(lastUID)".utf8) }
}
