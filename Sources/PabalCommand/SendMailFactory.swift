import Glibc
import PabalCore
package import PabalMessages

/// Makes the mails of a `send` command, each with its own Message-ID and code.
package struct SendMailFactory: Sendable {
  /// The policy for these mails after an `unknown` outcome.
  let unknown: UnknownPolicy
  private let make: @Sendable () throws(CommandError) -> Mail

  init(_ content: MailContent, addresses: [String], context: CommandContext) throws(CommandError) {
    if let file = content.eml {
      (unknown, make) = try Self.rawMail(file, content, addresses, context)
      return
    }
    let from = try context.sender(content.from)
    let to = try Self.recipients(addresses)
    if let subject = content.subject {
      let draft = MailDraft(
        from: from, to: to, subject: subject, text: content.text, html: content.html,
        language: content.languages.first)
      unknown = .keep
      make = { () throws(CommandError) in try Self.finish(draft) }
      return
    }
    let name = content.message ?? "verification"
    let messages = try context.messages()
    let messageDescription = try messages.withStore { store throws(MessageError) in try store.describe(name) }
    let provided = try Self.values(content.variables)
    let languages = content.languages
    if messageDescription.languages.allSatisfy({ MessageLanguageFallback.happened(from: languages, to: $0) }),
      let used = context.configuration.messages?.language
    {
      Terminal.printError(
        MessageLanguageFallback.text(from: languages, to: used, in: Terminal.language, isSent: true))
    }
    unknown = messageDescription.unknownPolicy
    make = { () throws(CommandError) in
      let values = Self.addingDefaults(provided, messageDescription)
      let rendered = try messages.withStore { store throws(MessageError) in
        try store.render(name, languages: languages, values: values)
      }
      return try Self.finish(
        MailDraft(
          from: from, to: to, subject: rendered.subject, text: rendered.text, html: rendered.html,
          language: rendered.language, autoSubmitted: true))
    }
  }

  /// Returns the next mail.
  func mail() throws(CommandError) -> Mail { try make() }

  private static func finish(_ draft: MailDraft) throws(CommandError) -> Mail {
    do throws(MailError) {
      return try draft.finish(identity: .now())
    } catch {
      throw CommandError(.input, "\(error.field): \(error.message)", remedy: error.remedy)
    }
  }

  private static func rawMail(
    _ file: String, _ content: MailContent, _ addresses: [String], _ context: CommandContext
  ) throws(CommandError) -> (UnknownPolicy, @Sendable () throws(CommandError) -> Mail) {
    let bytes: [UInt8]
    do throws(FileError) {
      bytes =
        try file == "-"
        ? readStandardInput(atMost: sizeLimit) : readFile(file, atMost: sizeLimit, waitsForWriter: true)
    } catch {
      throw CommandError(.input, "--eml: \(error.message)", remedy: error.remedy)
    }
    let recipients = try addresses.isEmpty ? nil : Self.recipients(addresses).map(\.address)
    let sender = try context.sender(content.from)
    let envelopeSender: EnvelopeSender = content.from == nil ? .author : .address(sender.address)
    let mail: RawMail
    do throws(MailError) {
      mail = try RawMail(bytes)
    } catch {
      throw CommandError(.input, "--eml: \(error.field): \(error.message)", remedy: error.remedy)
    }
    let make: @Sendable () throws(CommandError) -> Mail = { () throws(CommandError) in
      do throws(MailError) {
        return try mail.finish(sender: envelopeSender, recipients: recipients, from: sender, identity: .now())
      } catch {
        throw CommandError(.input, "--eml: \(error.field): \(error.message)", remedy: error.remedy)
      }
    }
    // A mail that has all of these is the same every time except for its id.
    guard ["date", "message-id", "from"].allSatisfy({ mail.header.contains($0) }) else {
      return (.keep, make)
    }
    let first = try make()
    let ids = MailIDSequence(.now())
    return (.keep, { () throws(CommandError) in first.withID(ids.next()) })
  }

  /// The largest mail that is read, in bytes: above the largest that a next hop accepts, Gmail's 35 MiB (`maxSize`).
  private static let sizeLimit = 64 << 20

  private static func recipients(_ texts: [String]) throws(CommandError) -> [Mailbox] {
    var problems: [Diagnostic] = []
    var recipients: [Mailbox] = []
    for text in texts {
      // Otherwise an empty text, or several words, would be reported as something else that is missing.
      guard text.contains("@") else {
        problems.append(
          Diagnostic(
            "“\(printable(text))” isn't an address: it has no @", remedy: "write it like kim@example.com"))
        continue
      }
      do throws(MailError) {
        recipients.append(try Mailbox(text))
      } catch {
        problems.append(
          Diagnostic("“\(printable(text))” isn't an address: \(error.message)", remedy: error.remedy))
      }
    }
    guard problems.isEmpty else { throw CommandError(.input, problems) }
    return recipients
  }

  /// Returns the values of `--set name=value` for a message.
  package static func values(_ settings: [String]) throws(CommandError) -> [String: MessageValue] {
    MessageValue.values(try texts(settings))
  }

  /// Returns the values of `--set name=value` by name.
  package static func texts(_ settings: [String]) throws(CommandError) -> [String: String] {
    var written: [String: String] = [:]
    for setting in settings {
      guard let mark = setting.firstIndex(of: "="), mark != setting.startIndex else {
        throw CommandError(.usage, "--set: “\(printable(setting))” isn't name=value")
      }
      let name = String(setting[..<mark])
      guard written.updateValue(String(setting[setting.index(after: mark)...]), forKey: name) == nil else {
        throw CommandError(.usage, "--set: “\(printable(name))” is set twice")
      }
    }
    return written
  }

  /// Adds values for required variables, so that a test mail needs none: codes are random, durations are the
  /// message's lifetime.
  private static func addingDefaults(
    _ provided: [String: MessageValue], _ messageDescription: MessageDescription
  ) -> [String: MessageValue] {
    var values = provided
    for variable in messageDescription.variables where variable.isRequired && values[variable.name] == nil {
      switch variable.kind {
      case .code: values[variable.name] = .text(randomCode())
      case .duration: values[variable.name] = messageDescription.lifetime.map { .duration($0) }
      case .text, .url, .time: break
      }
    }
    return values
  }

  /// Returns six digits, uniform over 000000–999999, from the system's random number generator.
  private static func randomCode() -> String {
    let digits = String(UInt32.random(in: 0..<1_000_000))
    return String(repeating: "0", count: 6 - digits.count) + digits
  }
}

extension MailContent {
  /// The preferred languages, best first.
  var languages: [String] { commaSeparated(language) }
}
