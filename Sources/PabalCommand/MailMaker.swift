import Glibc
import PabalCore
package import PabalMessages

/// Makes the mails that `send` asks for; each one is finished anew, with a Message-ID and a code of its own.
package struct MailMaker: Sendable {
  /// What an attempt that ended `unknown` means for these mails.
  let unknown: UnknownPolicy
  private let make: @Sendable () throws(Failure) -> Mail

  init(_ content: MailContent, addresses: [String], assembly: Assembly) throws(Failure) {
    if let file = content.eml {
      (unknown, make) = try Self.foreign(file, content, addresses, assembly)
      return
    }
    let from = try assembly.sender(content.from)
    let to = try Self.recipients(addresses)
    if let subject = content.subject {
      let draft = MailDraft(
        from: from, to: to, subject: subject, text: content.text, html: content.html,
        language: content.languages.first)
      unknown = .keep
      make = { () throws(Failure) in try Self.finish(draft) }
      return
    }
    let name = content.message ?? "verification"
    let messages = try assembly.messages()
    let described = try messages.asked { store throws(MessageError) in try store.describe(name) }
    let given = try Self.values(content.variables)
    let languages = content.languages
    unknown = described.unknownPolicy
    make = { () throws(Failure) in
      let values = Self.filled(given, described)
      let words = try messages.asked { store throws(MessageError) in
        try store.render(name, languages: languages, values: values)
      }
      return try Self.finish(
        MailDraft(
          from: from, to: to, subject: words.subject, text: words.text, html: words.html,
          language: words.language, autoSubmitted: true))
    }
  }

  /// The next mail.
  func mail() throws(Failure) -> Mail { try make() }

  private static func finish(_ draft: MailDraft) throws(Failure) -> Mail {
    do throws(MailProblem) {
      return try draft.finish(stamp: .now())
    } catch {
      throw Failure(.input, "\(error.field): \(error.what)", cure: error.cure)
    }
  }

  private static func foreign(
    _ file: String, _ content: MailContent, _ addresses: [String], _ assembly: Assembly
  ) throws(Failure) -> (UnknownPolicy, @Sendable () throws(Failure) -> Mail) {
    let octets: [UInt8]
    do throws(FileProblem) {
      octets =
        try file == "-"
        ? readStandardInput(atMost: sizeLimit) : readFile(file, atMost: sizeLimit, waits: true)
    } catch {
      throw Failure(.input, "--eml: \(error.what)", cure: error.cure)
    }
    let recipients = try addresses.isEmpty ? nil : Self.recipients(addresses).map(\.address)
    let sender = try assembly.sender(content.from)
    let envelopeSender: EnvelopeSender = content.from == nil ? .author : .address(sender.address)
    let mail: ForeignMail
    do throws(MailProblem) {
      mail = try ForeignMail(octets)
    } catch {
      throw Failure(.input, "--eml: \(error.field): \(error.what)", cure: error.cure)
    }
    let make: @Sendable () throws(Failure) -> Mail = { () throws(Failure) in
      do throws(MailProblem) {
        return try mail.finish(sender: envelopeSender, recipients: recipients, from: sender, stamp: .now())
      } catch {
        throw Failure(.input, "--eml: \(error.field): \(error.what)", cure: error.cure)
      }
    }
    // Where the mail has these, nothing in it changes from one time to the next.
    guard ["date", "message-id", "from"].allSatisfy({ mail.header.holds($0) }) else { return (.keep, make) }
    let first = try make()
    let ids = MailIDSequence(.now())
    return (.keep, { () throws(Failure) in first.renamed(ids.next()) })
  }

  /// Somewhat above what any next hop takes: Gmail's 35 MiB (its API's `maxSize`).
  private static let sizeLimit = 64 << 20

  private static func recipients(_ texts: [String]) throws(Failure) -> [Mailbox] {
    var problems: [Diagnostic] = []
    var recipients: [Mailbox] = []
    for text in texts {
      do throws(MailProblem) {
        recipients.append(try Mailbox(text))
      } catch {
        problems.append(Diagnostic("“\(printable(text))” is no address: \(error.what)", cure: error.cure))
      }
    }
    guard problems.isEmpty else { throw Failure(.input, problems) }
    return recipients
  }

  /// What `--set name=value` gives a message.
  package static func values(_ settings: [String]) throws(Failure) -> [String: MessageValue] {
    MessageValue.values(try texts(settings))
  }

  /// What `--set name=value` gives, by name.
  package static func texts(_ settings: [String]) throws(Failure) -> [String: String] {
    var written: [String: String] = [:]
    for setting in settings {
      guard let mark = setting.firstIndex(of: "="), mark != setting.startIndex else {
        throw Failure(.usage, "--set takes name=value, not “\(printable(setting))”")
      }
      let name = String(setting[..<mark])
      guard written.updateValue(String(setting[setting.index(after: mark)...]), forKey: name) == nil else {
        throw Failure(.usage, "--set gives “\(printable(name))” twice")
      }
    }
    return written
  }

  /// A smoke send needs no values: codes are made up, times of validity come from the message itself.
  private static func filled(
    _ given: [String: MessageValue], _ described: MessageDescription
  ) -> [String: MessageValue] {
    var values = given
    for variable in described.variables where variable.isRequired && values[variable.name] == nil {
      switch variable.kind {
      case .code: values[variable.name] = .text(freshCode())
      case .duration: values[variable.name] = described.lifetime.map { .duration($0) }
      case .text, .url, .time: break
      }
    }
    return values
  }

  /// Six digits, uniform over 000000–999999, from the system's generator.
  private static func freshCode() -> String {
    let digits = String(UInt32.random(in: 0..<1_000_000))
    return String(repeating: "0", count: 6 - digits.count) + digits
  }
}

extension MailContent {
  /// The languages to look for, the best first.
  var languages: [String] {
    language.flatMap { $0.split(separator: ",").map { String($0).trimmed } }.filter { !$0.isEmpty }
  }
}
