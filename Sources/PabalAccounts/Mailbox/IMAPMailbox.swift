package import PabalCore
internal import PabalCurl
internal import PabalFormats

/// Reads a mailbox by IMAP (RFC 3501) without changing it: the folder is opened read-only (`EXAMINE`), and mail is fetched
/// with `BODY.PEEK`.
///
/// Every call blocks. A value has one connection, for one round.
package final class IMAPMailbox {
  /// Whose mailbox it is.
  package enum Credentials {
    /// The source of tokens, for XOAUTH2.
    case tokens(any AccessTokenSource)
    /// A user name and a password.
    case password(user: String, password: String)
  }

  /// The state of an open folder.
  package struct Folder: Sendable, Hashable {
    /// Changes when the folder numbers its mail again.
    package var uidValidity: UInt32
    /// The uid that the next mail gets, or less; 0 if the server doesn't say.
    package var nextUID: UInt32
    /// The number of mails.
    package var count: Int
  }

  private let connection: IMAPConnection

  /// How many mails one command asks about.
  private static let batch = 100

  /// Connects to the server of `configuration` and logs in.
  package init(
    _ configuration: MailboxConfiguration, _ credentials: Credentials, literalLimit: Int
  ) throws(MailboxError) {
    var proxy: CurlProxy?
    if case .tokens(let account as OAuthAccount) = credentials, let setting = account.dependencies.proxy {
      do throws(TokenError) {
        proxy = try setting.proxy(forHost: configuration.host)
      } catch {
        throw MailboxError(error.problem(account: account.name))
      }
    }
    connection = try IMAPConnection(
      host: configuration.host, port: configuration.port, authorities: configuration.authorities,
      proxy: proxy, literalLimit: literalLimit + 4_096)
    switch credentials {
    case .tokens(let source): try logIn(source)
    case .password(let user, let password): try logIn(user: user, password: password)
    }
  }

  deinit { connection.close() }

  /// Opens a folder read-only.
  package func examine(_ folder: String) throws(MailboxError) -> Folder {
    guard let name = IMAPText.quoted(IMAPText.folder(folder)) else {
      throw connection.problem("has no folder \(printable(folder))")
    }
    var found = Folder(uidValidity: 0, nextUID: 0, count: 0)
    for response in try connection.run("EXAMINE \(name)", "opening the folder \(printable(folder))") {
      let words = response.words
      if words.count == 3, words[2] == "EXISTS" { found.count = Int(words[1]) ?? 0 }
      if let number = Self.number(after: "[UIDVALIDITY ", in: response) { found.uidValidity = number }
      if let number = Self.number(after: "[UIDNEXT ", in: response) { found.nextUID = number }
    }
    guard found.uidValidity > 0 else { throw connection.problem("doesn't number its mail (UIDVALIDITY)") }
    return found
  }

  private static func number(after code: String, in response: IMAPResponse) -> UInt32? {
    let line = response.line.uppercased()
    guard let range = line.firstRange(of: code) else { return nil }
    return UInt32(line[range.upperBound...].prefix { ("0"..."9").contains($0) })
  }

  /// Returns the uids of mail after `uid`, in order.
  package func uids(after uid: UInt32) throws(MailboxError) -> [UInt32] {
    guard uid < .max else { return [] }
    // The last mail is part of every range with a star.
    return try search("UID \(uid + 1):*").filter { $0 > uid }
  }

  /// Returns the uids of mail that arrived on the UTC day of `moment` or later, in order.
  package func uids(since moment: Timestamp) throws(MailboxError) -> [UInt32] {
    // The day of a mail's date: `01 Dec 2026` of `Tue, 01 Dec 2026 07:00:00 +0000`.
    let date = MailDate.string(millisecondsSince1970: moment.milliseconds, offset: 0)
    return try search("SINCE \(date.split(separator: " ")[1...3].joined(separator: "-"))")
  }

  /// Returns those of `uids` whose mail has a Content-Type that `isWanted`.
  package func filter(
    _ uids: [UInt32], byContentType isWanted: (String) -> Bool
  ) throws(MailboxError) -> [UInt32] {
    var wanted: [UInt32] = []
    for start in stride(from: 0, to: uids.count, by: Self.batch) {
      let batch = uids[start..<min(start + Self.batch, uids.count)]
      let set = batch.map(String.init).joined(separator: ",")
      let responses = try connection.run(
        "UID FETCH \(set) (UID BODY.PEEK[HEADER.FIELDS (CONTENT-TYPE)])", "reading headers")
      for response in responses {
        guard let uid = Self.uid(in: response), batch.contains(uid), let header = response.literals.first
        else { continue }
        if isWanted(String(decoding: header, as: UTF8.self)) { wanted.append(uid) }
      }
    }
    return wanted.sorted()
  }

  /// Returns the first `limit` bytes of a mail; `nil` if it has been deleted.
  package func mail(_ uid: UInt32, limit: Int) throws(MailboxError) -> [UInt8]? {
    try fetch(uid, limit: limit).get()
  }

  /// Returns what `read` makes of the first `limit` bytes of each mail, without those that have been deleted.
  ///
  /// Exchange refuses single mails that it can't convert, again and again. They are left out, and `refusal` says why the
  /// first one was refused; throws if the server refuses all.
  package func mails<Value>(
    _ uids: [UInt32], limit: Int, _ read: ([UInt8]) -> Value?
  ) throws(MailboxError) -> (values: [Value], refusal: MailboxError?) {
    var values: [Value] = []
    var refusals: [MailboxError] = []
    for uid in uids {
      switch try fetch(uid, limit: limit) {
      case .success(let bytes): if let value = bytes.flatMap(read) { values.append(value) }
      case .failure(let refusal): refusals.append(refusal)
      }
    }
    // Then it isn't the mail, as far as one can tell.
    if let refusal = refusals.first, refusals.count == uids.count { throw refusal }
    return (values, refusals.first)
  }

  private func fetch(_ uid: UInt32, limit: Int) throws(MailboxError) -> Result<[UInt8]?, MailboxError> {
    let (responses, tagged) = try connection.ask("UID FETCH \(uid) (UID BODY.PEEK[]<0.\(limit)>)")
    guard tagged.words.dropFirst().first == "OK" else {
      return .failure(connection.problem("refused to return a mail: \(connection.shown(tagged))"))
    }
    let found = responses.first { Self.uid(in: $0) == uid && !$0.literals.isEmpty }
    return .success(found?.literals.first)
  }

  private func search(_ criteria: String) throws(MailboxError) -> [UInt32] {
    try connection.run("UID SEARCH \(criteria)", "the search for new mail")
      .filter { $0.words.dropFirst().first == "SEARCH" }
      .flatMap { $0.words.dropFirst(2).compactMap { UInt32($0) } }.sorted()
  }

  // The word UID may be anywhere in the list.
  private static func uid(in response: IMAPResponse) -> UInt32? {
    let words = response.line.uppercased().split { " ()".contains($0) }
    guard words.count > 4, words[2] == "FETCH", let key = words.firstIndex(of: "UID"), key + 1 < words.count
    else { return nil }
    return UInt32(words[key + 1])
  }

  // MARK: Login

  private func logIn(_ source: any AccessTokenSource) throws(MailboxError) {
    guard connection.capabilities.contains("AUTH=XOAUTH2") else {
      throw connection.problem("doesn't offer XOAUTH2; set \"user\" and \"password\" instead of \"account\"")
    }
    var rejected: String?
    while true {
      let token = try source.mailboxToken(rejected: rejected)
      connection.hide(token.text)
      let response = IMAPText.xoauth2(user: source.user, token: token.text)
      connection.hide(response)
      let (_, tagged) = try authenticate("XOAUTH2", response)
      if tagged.words.dropFirst().first == "OK" { return }
      // Only a second token shows that the login itself is the problem.
      guard rejected == nil else {
        throw connection.problem(
          "refused the login: \(connection.shown(tagged)); log in again with `pabal account login`, and check that IMAP is enabled for the mailbox"
        )
      }
      rejected = token.text
    }
  }

  private func logIn(user: String, password: String) throws(MailboxError) {
    connection.hide(password)
    let tagged: IMAPResponse
    if connection.capabilities.contains("AUTH=PLAIN") {
      let response = IMAPText.plain(user: user, password: password)
      connection.hide(response)
      tagged = try authenticate("PLAIN", response).tagged
    } else {
      guard !connection.capabilities.contains("LOGINDISABLED"), let user = IMAPText.quoted(user),
        let secret = IMAPText.quoted(password)
      else { throw connection.problem("offers no login with this user name and password") }
      tagged = try connection.ask("LOGIN \(user) \(secret)").tagged
    }
    guard tagged.words.dropFirst().first == "OK" else {
      throw connection.problem(
        "refused the login: \(connection.shown(tagged)); check \"user\" and \"password\"")
    }
  }

  // An error arrives as a request for more, which an empty line answers; then comes the result.
  private func authenticate(
    _ mechanism: String, _ response: String
  ) throws(MailboxError) -> (untagged: [IMAPResponse], tagged: IMAPResponse) {
    if connection.capabilities.contains("SASL-IR") {
      return try connection.ask("AUTHENTICATE \(mechanism) \(response)")
    }
    return try connection.ask("AUTHENTICATE \(mechanism)", continuations: [response])
  }
}
