/// The content of the mail that `send` makes: a message, text from the command line, or a finished mail.
package struct MailContent: Sendable, Equatable {
  /// The name of the message; `nil` for `verification`.
  package var message: String?
  /// The preferred languages, best first; each element may hold several, separated by commas.
  package var language: [String] = []
  /// Values of the message's variables, each as `name=value`.
  package var variables: [String] = []
  /// The sender; `nil` for the configured one.
  package var from: String?
  /// The subject of a mail without a message; requires `text`, `html` or both.
  package var subject: String?
  /// The body as plain text.
  package var text: String?
  /// The body as HTML.
  package var html: String?
  /// The file of a finished mail; `-` for standard input.
  package var eml: String?

  package init() {}

  /// Why the options exclude each other, judged before any file is read; `nil` if they don't.
  var conflict: String? {
    let own = subject != nil || text != nil || html != nil
    let named = message != nil || !variables.isEmpty
    if eml != nil, own || named || !language.isEmpty {
      return
        "--eml sends a finished mail; leave out --message, --language, --set, --subject, --text and --html."
    }
    if own, named { return "--subject, --text and --html can't be combined with --message or --set." }
    if own, text == nil, html == nil { return "--subject requires --text or --html." }
    return own && subject == nil ? "--text and --html require --subject." : nil
  }
}

extension SendCommand {
  /// Parses the arguments of `pabal send`: options with their full names, flags, addresses.
  ///
  /// Returns `nil` for anything else, such as a mistake or `--help`, which `pabal-main` then handles. Both parse the
  /// accepted arguments alike. This parser exists because ArgumentParser takes as long as the rest of a cold send.
  package init?(parsing arguments: some Sequence<String>) {
    self.init()
    var arguments = arguments.makeIterator()
    while let argument = arguments.next() {
      guard argument.hasPrefix("-") else {
        addresses.append(argument)
        continue
      }
      if setFlag(argument) { continue }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      // After “=” a value may look like an option but can't be empty; as a word of its own it is the other way round.
      guard let value = parts.count > 1 ? String(parts[1]) : arguments.next(),
        parts.count > 1 ? !value.isEmpty : !value.hasPrefix("-") || value == "-",
        setOption(value, for: name)
      else { return nil }
    }
    if conflict != nil { return nil }
  }

  private mutating func setFlag(_ flag: String) -> Bool {
    switch flag {
    case "--dry-run": dryRun = true
    case "--yes": yes = true
    case "--json": options.json = true
    case "--verbose", "-v": options.verbose = true
    default: return false
    }
    return true
  }

  private mutating func setOption(_ value: String, for name: String) -> Bool {
    switch name {
    case "--message": content.message = value
    case "--language": content.language.append(value)
    case "--set": content.variables.append(value)
    case "--from": content.from = value
    case "--subject": content.subject = value
    case "--text": content.text = value
    case "--html": content.html = value
    case "--eml": content.eml = value
    case "--transport": transports.append(value)
    case "--config": options.file = value
    case "--count":
      guard let number = Int(value) else { return false }
      count = number
    case "--parallel":
      guard let number = Int(value) else { return false }
      parallel = number
    default: return false
    }
    return true
  }
}
