package import PabalCore

/// The arguments of `pabal sendmail`, in the forms in which sendmail's callers write them.
package struct SendmailArguments: Sendable, Equatable {
  /// What the command does.
  package enum Mode: Sendable, Equatable {
    /// Reads a mail from standard input and submits it.
    case send
    /// Speaks SMTP on standard input and output (`-bs`).
    case dialogue
    /// Lists the waiting mail (`-bp`, `mailq`).
    case list
    /// Makes the waiting mail due (`-q`).
    case retry
    /// Succeeds without doing anything (`-bi`, `newaliases`).
    case nothing
    /// Prints the help.
    case help
    /// Prints the version.
    case version
    /// Queues the batch on standard input under this id, as the owner of the database.
    case batch(id: String)
  }

  /// What the command does.
  package var mode = Mode.send
  /// The recipients of the command line, as typed.
  package var recipients: [String] = []
  /// The value of `-f` or `-r`; empty or `<>` for the null sender, `nil` for the user who runs the command.
  package var sender: String?
  /// The display name for a From field that is missing (`-F`).
  package var fullName: String?
  /// Whether the recipients of the header are added (`-t`).
  package var readsRecipients = false
  /// Whether the sender is the address of the From field (msmtp's `--read-envelope-from`).
  package var readsSender = false
  /// Whether a line with only a dot ends the mail; not with `-i`.
  package var endsAtDot = true
  /// Whether the queue id is printed (`-v`).
  package var isVerbose = false
  /// The DSN parameters of the envelope.
  package var notifications = NotificationRequest()
  /// The socket of `pabal serve`.
  package var socket = "/run/pabal/submit"
  /// The drop directory of `pabal serve`.
  package var drop = "/var/spool/pabal/drop"
  /// The configuration whose outbox is used if neither the socket nor the drop directory is there.
  package var configuration = SendmailArguments.defaultConfiguration
  /// The configuration of the machine.
  package static let defaultConfiguration = "/etc/pabal/config.json"
  /// Why the other ways into the queue failed, for the error of a batch.
  package var failures = ""

  /// Returns the arguments of a process if it runs this command, by the name `pabal sendmail`, `sendmail`, `mailq` or
  /// `newaliases`; otherwise `nil`.
  package static func words(of processArguments: [String]) -> [String]? {
    guard let program = processArguments.first else { return nil }
    let rest = Array(processArguments.dropFirst())
    switch program.split(separator: "/").last {
    case "sendmail": return rest
    case "mailq": return ["-bp"] + rest
    case "newaliases": return ["-bi"]
    default: return rest.first == "sendmail" ? Array(rest.dropFirst()) : nil
    }
  }

  private let acceptsBatch: Bool

  /// Parses `words`, the arguments after the command's name.
  ///
  /// - Parameters:
  ///   - words: The arguments.
  ///   - acceptsBatch: Whether they may come from the small program, which alone may pass `--batch` and `--failures`.
  package init(_ words: [String], acceptsBatch: Bool = false) throws(CommandError) {
    self.acceptsBatch = acceptsBatch
    var reader = WordReader(words)
    while let word = reader.next() {
      if word == "--" {
        recipients += reader.rest()
      } else if word.hasPrefix("--") {
        try setLong(word, &reader)
      } else if word.hasPrefix("-"), word.utf8.count > 1 {
        try setLetters(word, &reader)
      } else {
        recipients.append(word)
      }
    }
  }

  /// Sets a run of single letters, as in `-ti`; the first that takes a value takes the rest of the word.
  private mutating func setLetters(_ word: String, _ reader: inout WordReader) throws(CommandError) {
    var letters = word.dropFirst()
    while let letter = letters.popFirst() {
      switch letter {
      case "t": readsRecipients = true
      case "i": endsAtDot = false
      case "v": isVerbose = true
      // -I is Postfix's -bi. The others ask for what Pabal does anyway, or for nothing that it has.
      case "I": mode = .nothing
      case "G", "U", "m", "n": break
      case "q":
        // -q30m, -qf, -qIID, -qRTEXT: all that waits becomes due.
        if mode == .send { mode = .retry }
        return
      case "d": return
      case "o": return setOption(String(letters), &reader)
      case "e", "A":
        if letters.isEmpty { reader.skip(oneOf: letter == "e" ? ["p", "q", "m", "w", "e"] : ["c", "m"]) }
        return
      default:
        guard Self.lettersWithValue.contains(letter) else { throw Self.unknown("-\(letter)", in: word) }
        let value = letters.isEmpty ? reader.next() : String(letters)
        guard let value else {
          throw CommandError(.usage, "-\(letter): the value is missing", remedy: Self.helpHint)
        }
        return try set(letter, to: value)
      }
    }
  }

  private static let lettersWithValue: Set<Character> = [
    "f", "r", "F", "b", "N", "R", "V", "B", "C", "X", "O", "L", "h", "p",
  ]

  private mutating func set(_ letter: Character, to value: String) throws(CommandError) {
    switch letter {
    case "f", "r": sender = value
    case "F": fullName = value
    case "b": try setMode(value)
    case "N": try notifications.setNotify(value)
    case "R": try notifications.setReturn(value)
    case "V": try notifications.setEnvelopeID(value)
    case "B":
      // Whether the mail has bytes above 127 is determined from its content.
      guard ["7BIT", "8BITMIME"].contains(value.uppercased()) else {
        throw CommandError(
          .usage, "-B: unknown body type \(printable(value))", remedy: "use 7BIT or 8BITMIME")
      }
    // -C and -X named a configuration and a log file, through which callers of PHPMailer were attacked (CVE-2016-10033).
    default: break
    }
  }

  private mutating func setMode(_ value: String) throws(CommandError) {
    switch value {
    case "m": mode = .send
    case "s": mode = .dialogue
    case "p": mode = .list
    case "i": mode = .nothing
    case "d", "D":
      throw CommandError(
        .usage, "-b\(value): sendmail doesn't run as a daemon", remedy: "run `pabal serve`")
    default:
      throw CommandError(
        .usage, "-b\(printable(value)): unknown mode", remedy: "use -bm, -bs, -bp or -bi")
    }
  }

  /// Sets `-oX`, of which only `-oi` has an effect. `text` is what follows the letter o.
  private mutating func setOption(_ text: String, _ reader: inout WordReader) {
    guard text.isEmpty else {
      // The value is in the word, even if it is empty; only Exim's -oMx has it in the next word.
      if text == "i" { endsAtDot = false }
      if Self.eximOptionsWithValue.contains(text) { reader.skipValue() }
      return
    }
    guard let option = reader.next() else { return }
    switch option {
    case "i": endsAtDot = false
    case "d": reader.skip(oneOf: ["i", "b", "q", "d"])
    case "e": reader.skip(oneOf: ["p", "q", "m", "w", "e"])
    default:
      let takesValue =
        option.count == 1 && "ABCDFHJKLMNOPQRSTVWXYZghkpqrtuxyz".contains(option)
        || Self.eximOptionsWithValue.contains(option)
      if takesValue { reader.skipValue() }
    }
  }

  private static let eximOptionsWithValue: Set<String> = [
    "Ma", "Maa", "Mai", "Mas", "Mi", "Mm", "Mr", "Ms", "Mt",
  ]

  private mutating func setLong(_ word: String, _ reader: inout WordReader) throws(CommandError) {
    let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    let name = String(parts[0])
    switch name {
    case "--help": mode = .help
    case "--version": mode = .version
    case "--read-recipients": readsRecipients = true
    case "--read-envelope-from": readsSender = true
    case "--batch", "--failures":
      guard acceptsBatch else { throw Self.unknown(name, in: word) }
      fallthrough
    case "--socket", "--drop", "--config":
      guard let value = parts.count > 1 ? String(parts[1]) : reader.next(), !value.isEmpty else {
        throw CommandError(.usage, "\(name): the value is missing", remedy: Self.helpHint)
      }
      switch name {
      case "--socket": socket = value
      case "--drop": drop = value
      case "--config": configuration = value
      case "--batch": mode = .batch(id: value)
      default: failures = value
      }
    default: throw Self.unknown(name, in: word)
    }
  }

  private static let helpHint = "`pabal sendmail --help` lists the flags"

  private static func unknown(_ flag: String, in word: String) -> CommandError {
    let place = word == flag ? "" : " in \(printable(word))"
    return CommandError(
      .usage, "\(printable(flag))\(place): unknown flag",
      remedy: "\(helpHint); write an address that begins with a hyphen after --")
  }
}

/// The words of a command line, read from left to right.
private struct WordReader {
  private var words: ArraySlice<String>

  init(_ words: [String]) { self.words = words[...] }

  mutating func next() -> String? { words.popFirst() }

  mutating func rest() -> [String] {
    defer { words = [] }
    return Array(words)
  }

  /// Skips the next word if it is one of `values`.
  mutating func skip(oneOf values: Set<String>) {
    if let word = words.first, values.contains(word) { words.removeFirst() }
  }

  /// Skips the next word if it can be a value.
  mutating func skipValue() {
    if let word = words.first, !word.hasPrefix("-") { words.removeFirst() }
  }
}

/// The reports that the caller asks for with `-N`, `-R` and `-V` (RFC 3461).
package struct NotificationRequest: Sendable, Equatable {
  private var events: ReportParameters.Events?
  private var returned: ReportParameters.Returned?
  private var envelopeID: String?

  /// Returns the parameters of the envelope, which are the same for each recipient.
  package func parameters(for recipients: [Address]) -> ReportParameters {
    var parameters = ReportParameters()
    parameters.returned = returned
    parameters.envelopeID = envelopeID
    guard let events else { return parameters }
    for recipient in recipients {
      parameters.recipients[recipient] = ReportParameters.Recipient(events: events)
    }
    return parameters
  }

  /// Sets NOTIFY from `never`, or a list of `success`, `failure` and `delay`.
  mutating func setNotify(_ value: String) throws(CommandError) {
    guard let events = ReportParameters.Events(value) else {
      throw CommandError(
        .usage, "-N: unknown notification \(printable(value))",
        remedy: "use never, or a list of success, failure and delay")
    }
    self.events = events
  }

  /// Sets RET from `full` or `hdrs`.
  mutating func setReturn(_ value: String) throws(CommandError) {
    guard let returned = ReportParameters.returned(value) else {
      throw CommandError(.usage, "-R: unknown form \(printable(value))", remedy: "use full or hdrs")
    }
    self.returned = returned
  }

  /// Sets ENVID, of which at most 100 characters are left once it is encoded.
  mutating func setEnvelopeID(_ value: String) throws(CommandError) {
    guard ReportParameters.envelopeID(XText.encode(value)) != nil else {
      throw CommandError(.usage, "-V: not 1 to 100 printable ASCII characters", remedy: "use a shorter id")
    }
    envelopeID = value
  }
}
