/// Which mail `send` makes: a message, words from the command line, or a finished file.
package struct MailContent: Sendable, Equatable {
  /// The message; `nil` for `verification`.
  package var message: String?
  /// The languages to look for, the best first; each text may hold several, by commas.
  package var language: [String] = []
  /// Variables of the message, as `name=value`.
  package var variables: [String] = []
  /// The sender, instead of the configuration's.
  package var from: String?
  /// A subject of its own, with `text`, `html` or both.
  package var subject: String?
  /// The words as plain text.
  package var text: String?
  /// The words as HTML.
  package var html: String?
  /// The file of a finished mail; `-` is standard input.
  package var eml: String?

  package init() {}

  /// Why these can't go together, seen before anything is read; `nil` where they can.
  var conflict: String? {
    let own = subject != nil || text != nil || html != nil
    let named = message != nil || !variables.isEmpty
    if eml != nil, own || named || !language.isEmpty {
      return
        "--eml is a finished mail; it goes with none of --message, --language, --set, --subject, --text, --html."
    }
    if own, named { return "--subject, --text and --html go with neither --message nor --set." }
    if own, text == nil, html == nil { return "--subject needs --text or --html." }
    return own && subject == nil ? "--text and --html need --subject." : nil
  }
}

extension SendCommand {
  /// Reads the plain words of `pabal send`: options by their whole names, flags, addresses.
  ///
  /// `nil` where there is more to them, such as a mistake or `--help`. What is read here is read by
  /// `pabal-main` in the same way; but its way of reading, made for help and completions, takes as long as all
  /// else that a cold send does on its own.
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
      // With “=” a value may look like an option, but has to be there; without, the other way round.
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
